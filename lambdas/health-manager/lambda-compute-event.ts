// Health manager, news of machines, as a Lambda function.
import { awsServices } from '../runtime/aws-services.ts';
import { computeEventHandler } from './compute-event.ts';

export const handler = computeEventHandler(awsServices('compute-event'));
