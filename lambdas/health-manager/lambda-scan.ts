// Health manager, scan, as a Lambda function on a schedule.
import { awsServices } from '../runtime/aws-services.ts';
import { scanHandler } from './scan.ts';

export const handler = scanHandler(awsServices('health-scan'));
