// Health manager, intake, as a Lambda function fed by the queue of heartbeats.
import { awsServices } from '../runtime/aws-services.ts';
import { heartbeatsHandler } from './heartbeats.ts';

export const handler = heartbeatsHandler(awsServices('heartbeats'));
