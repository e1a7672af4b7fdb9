// Remembers which flows were started and runs none; for tests and for a control plane that is to leave work lying.
import { DriverError } from '../../domain/errors.ts';
import type { Execution, FlowDriver, FlowName } from './flow-driver.ts';

export class NoopFlowDriver implements FlowDriver {
  readonly #executions = new Map<string, Execution>();

  /** In the order they were started. */
  get started(): Execution[] {
    return [...this.#executions.values()];
  }

  async start(flow: FlowName, name: string, input: Record<string, unknown>): Promise<void> {
    const known = this.#executions.get(`${flow}/${name}`);
    if (known && JSON.stringify(known.input) !== JSON.stringify(input))
      throw new DriverError(`execution ${name} of ${flow} was started with another input`);
    if (!known)
      this.#executions.set(`${flow}/${name}`, { flow, name, input: structuredClone(input), state: 'RUNNING' });
  }

  async describe(flow: FlowName, name: string): Promise<Execution | undefined> {
    return structuredClone(this.#executions.get(`${flow}/${name}`));
  }

  async stop(flow: FlowName, name: string, cause: string): Promise<void> {
    const execution = this.#executions.get(`${flow}/${name}`);
    if (execution?.state === 'RUNNING') Object.assign(execution, { state: 'ABORTED', cause });
  }
}
