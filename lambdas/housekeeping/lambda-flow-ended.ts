// Housekeeping, flows that ended badly, as a Lambda function.
import { awsServices } from '../runtime/aws-services.ts';
import { flowEndedHandler } from './reconcile.ts';

export const handler = flowEndedHandler(awsServices('flow-ended'));
