// Machines of users, looked up in EC2.
import { DescribeInstancesCommand, EC2Client } from '@aws-sdk/client-ec2';
import { isNotFound } from '../aws-errors.ts';
import { asking } from '../ec2-errors.ts';
import type { Instance, InstanceDirectory } from './instance-directory.ts';

export { EC2Client };

export class Ec2InstanceDirectory implements InstanceDirectory {
  readonly #client: () => EC2Client;
  #made: EC2Client | undefined;

  /** @param client called when EC2 is first asked */
  constructor({ client }: { client: () => EC2Client }) {
    this.#client = client;
  }

  async find(instanceId: string): Promise<Instance | undefined> {
    this.#made ??= this.#client();
    const client = this.#made;
    const question = new DescribeInstancesCommand({ InstanceIds: [instanceId] });
    try {
      const { Reservations = [] } = await asking(`machine ${instanceId}`, () => client.send(question));
      const found = Reservations[0]?.Instances?.[0];
      if (found === undefined) return undefined;
      const { State, PrivateIpAddress = null, Tags = [] } = found;
      const isStanding = State?.Name === 'running' || State?.Name === 'pending';
      const tags = Object.fromEntries(Tags.map(({ Key = '', Value = '' }) => [Key, Value]));
      return { instance_id: instanceId, state: isStanding ? 'RUNNING' : 'GONE', address: PrivateIpAddress, tags };
    } catch (error) {
      if (isNotFound((error as Error).cause)) return undefined;
      throw error;
    }
  }
}
