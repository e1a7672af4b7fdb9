// The first credentials of a deployment as a Lambda function that CloudFormation calls.
import { adminSecret, awsServices } from '../runtime/aws-services.ts';
import { configFromEnvironment } from '../runtime/config.ts';
import { firstCredentialsHandler } from './first-credentials.ts';

const config = configFromEnvironment();
export const handler = firstCredentialsHandler(awsServices('first-credentials', config), () => adminSecret(config));
