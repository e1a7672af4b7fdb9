// Octavia's API controller as a Lambda function.
import { awsServices } from '../runtime/aws-services.ts';
import { apiHandler } from './handler.ts';

export const handler = apiHandler(awsServices('api'));
