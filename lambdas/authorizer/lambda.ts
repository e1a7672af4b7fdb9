// The authorizer of the HTTP API as a Lambda function.
import { awsServices } from '../runtime/aws-services.ts';
import { authorizerHandler } from './handler.ts';

export const handler = authorizerHandler(awsServices('authorizer'));
