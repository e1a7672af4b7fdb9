// What clients ask of Barbican, as a Lambda function.
import { awsServices } from '../runtime/aws-services.ts';
import { keyManagerHandler } from './handler.ts';

export const handler = keyManagerHandler(awsServices('key-manager'));
