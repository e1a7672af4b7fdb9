// Lifecycle tasks of the flows as a Lambda function.
import { awsServices } from '../runtime/aws-services.ts';
import { lifecycleHandler } from './lifecycle.ts';

export const handler = lifecycleHandler(awsServices('tasks-lifecycle'));
