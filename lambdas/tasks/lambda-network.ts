// Network tasks of the flows as a Lambda function.
import { awsServices } from '../runtime/aws-services.ts';
import { networkHandler } from './network.ts';

export const handler = networkHandler(awsServices('tasks-network'));
