// A function as a custom resource of CloudFormation, which hears how it went by an upload to a URL of its own and waits for an hour
// when it hears nothing.
import type { CloudFormationCustomResourceEvent } from 'aws-lambda';
import type { Logger } from './logger.ts';

export type CustomResourceHandler = (event: CloudFormationCustomResourceEvent) => Promise<void>;

interface CustomResource {
  logger: Logger;
  /** Stays the same, so that CloudFormation never takes an update for a replacement. */
  physicalId: string;
  /** Runs when the resource is made and when its properties change. What it says of a failure is read by whoever deploys. */
  run: () => Promise<void>;
}

export function customResourceHandler({ logger, physicalId, run }: CustomResource): CustomResourceHandler {
  return async (event) => {
    const answer = (Status: 'SUCCESS' | 'FAILED', Reason?: string) => {
      const { StackId, RequestId, LogicalResourceId } = event;
      const body = { Status, Reason, PhysicalResourceId: physicalId, StackId, RequestId, LogicalResourceId };
      return respond(event.ResponseURL, JSON.stringify(body));
    };
    try {
      // What was made outlives the deployment, as the table does.
      if (event.RequestType !== 'Delete') await run();
      await answer('SUCCESS');
    } catch (error) {
      logger.error('custom resource failed', { error });
      await answer('FAILED', (error as Error).message);
    }
  };
}

/** The URL is signed without a type of content. @throws Error, after which Lambda runs the function again */
async function respond(url: string, body: string): Promise<void> {
  const response = await fetch(url, { method: 'PUT', headers: { 'content-type': '' }, body });
  if (!response.ok) throw new Error(`CloudFormation answered ${response.status} to how it went`);
}
