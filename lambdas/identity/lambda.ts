// The identity service as a Lambda function.
import { awsServices } from '../runtime/aws-services.ts';
import { identityHandler } from './handler.ts';

export const handler = identityHandler(awsServices('identity'));
