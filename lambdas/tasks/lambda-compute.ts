// Compute tasks of the flows as a Lambda function.
import { awsServices } from '../runtime/aws-services.ts';
import { computeHandler } from './compute.ts';

export const handler = computeHandler(awsServices('tasks-compute'));
