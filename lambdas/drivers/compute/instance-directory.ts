// Machines of users in the account, as far as their tags say that they are to be members. Only looked at, never changed.

export interface Instance {
  instance_id: string;
  state: 'RUNNING' | 'GONE';
  /** null when it has none (any more). */
  address: string | null;
  tags: Record<string, string>;
}

export interface InstanceDirectory {
  /** undefined for one that is not known: not yet, or not any more. */
  find(instanceId: string): Promise<Instance | undefined>;
}

/** Without an account there are no such machines but those it is told of. */
export class NoopInstanceDirectory implements InstanceDirectory {
  readonly instances = new Map<string, Instance>();

  async find(instanceId: string): Promise<Instance | undefined> {
    return this.instances.get(instanceId);
  }
}
