// Controller worker, flows, as a Lambda function.
import { awsServices } from '../runtime/aws-services.ts';
import { startOperationHandler } from './start-operation.ts';

export const handler = startOperationHandler(awsServices('worker-start'));
