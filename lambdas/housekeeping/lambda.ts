// Housekeeping as a Lambda function on a schedule.
import { awsServices } from '../runtime/aws-services.ts';
import { housekeepingHandler } from './handler.ts';

export const handler = housekeepingHandler(awsServices('housekeeping'));
