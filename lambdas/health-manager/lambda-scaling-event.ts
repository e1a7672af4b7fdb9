// Health manager, news of Auto Scaling groups, as a Lambda function.
import { awsServices } from '../runtime/aws-services.ts';
import { scalingEventHandler } from './scaling-event.ts';

export const handler = scalingEventHandler(awsServices('scaling-event'));
