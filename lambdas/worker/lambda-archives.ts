// Controller worker, archives of logs, as a Lambda function inside the VPC.
import { awsServices } from '../runtime/aws-services.ts';
import { grantArchivesHandler } from './grant-archives.ts';

export const handler = grantArchivesHandler(awsServices('worker-archives'));
