// What clients ask of Neutron, as a Lambda function.
import { awsServices } from '../runtime/aws-services.ts';
import { networkHandler } from './handler.ts';

export const handler = networkHandler(awsServices('network'));
