// Health manager, scan, as a Lambda function on a schedule, and in between by messages it sends itself.
import { awsServices } from '../runtime/aws-services.ts';
import { scanChainHandler } from './scan-chain.ts';

export const handler = scanChainHandler(awsServices('health-scan'));
