// Controller worker, the outbox, as a Lambda function fed by the table's stream.
import { awsServices } from '../runtime/aws-services.ts';
import { relayOutboxHandler } from './relay-outbox.ts';

export const handler = relayOutboxHandler(awsServices('worker-relay'));
