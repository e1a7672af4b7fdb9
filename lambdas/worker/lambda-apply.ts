// Controller worker, configurations, as a Lambda function inside the VPC.
import { awsServices } from '../runtime/aws-services.ts';
import { applyConfigurationHandler } from './apply-configuration.ts';

export const handler = applyConfigurationHandler(awsServices('worker-apply'));
