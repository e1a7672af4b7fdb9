// Amphora tasks of the flows as a Lambda function inside the VPC.
import { awsServices } from '../runtime/aws-services.ts';
import { amphoraHandler } from './amphora.ts';

export const handler = amphoraHandler(awsServices('tasks-amphora'));
