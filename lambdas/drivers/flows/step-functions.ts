// Flows on AWS: executions of Step Functions state machines, TaskFlow's place in Octavia. Inputs hold ids only.
import { isDeepStrictEqual } from 'node:util';
import { DescribeExecutionCommand, SFNClient, StartExecutionCommand, StopExecutionCommand } from '@aws-sdk/client-sfn';
import { DriverError } from '../../domain/errors.ts';
import { isAlreadyThere, isNotFound, isPassing } from '../aws-errors.ts';
import type { Execution, ExecutionState, FlowDriver, FlowName } from './flow-driver.ts';

export { SFNClient };

export interface StepFunctionsFlowOptions {
  client: SFNClient;
  stateMachineArns: Record<FlowName, string>;
}

export class StepFunctionsFlowDriver implements FlowDriver {
  readonly #client: SFNClient;
  readonly #stateMachineArns: Record<FlowName, string>;

  constructor({ client, stateMachineArns }: StepFunctionsFlowOptions) {
    this.#client = client;
    this.#stateMachineArns = stateMachineArns;
  }

  async start(flow: FlowName, name: string, input: Record<string, unknown>): Promise<void> {
    const stateMachineArn = this.#stateMachineArns[flow];
    const command = new StartExecutionCommand({ stateMachineArn, name, input: JSON.stringify(input) });
    try {
      await this.#client.send(command);
    } catch (error) {
      if (!isAlreadyThere(error)) throw asDriverError(`start of flow ${flow}`, error);
      await this.#assertSameInput(flow, name, input, error);
    }
  }

  async describe(flow: FlowName, name: string): Promise<Execution | undefined> {
    try {
      const command = new DescribeExecutionCommand({ executionArn: this.#executionArn(flow, name) });
      const { status, input, output, error, cause } = await this.#client.send(command);
      return {
        flow,
        name,
        // An execution that waits to be redriven is not over yet.
        state: status === 'PENDING_REDRIVE' ? 'RUNNING' : (status as ExecutionState),
        input: JSON.parse(input ?? '{}'),
        ...(output === undefined ? {} : { output: JSON.parse(output) }),
        ...(error === undefined ? {} : { error }),
        ...(cause === undefined ? {} : { cause }),
      };
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw asDriverError(`look at flow ${flow}`, error);
    }
  }

  async stop(flow: FlowName, name: string, cause: string): Promise<void> {
    try {
      await this.#client.send(new StopExecutionCommand({ executionArn: this.#executionArn(flow, name), cause }));
    } catch (error) {
      if (!isNotFound(error)) throw asDriverError(`stop of flow ${flow}`, error);
    }
  }

  /** Step Functions refuses the name of an ended execution even with the same input; for us that is the same start. */
  async #assertSameInput(flow: FlowName, name: string, input: Record<string, unknown>, cause: unknown): Promise<void> {
    const taken = await this.describe(flow, name);
    if (taken && isDeepStrictEqual(taken.input, JSON.parse(JSON.stringify(input)))) return;
    throw new DriverError(`flow ${flow} has an execution ${name} with another input`, { cause });
  }

  #executionArn(flow: FlowName, name: string): string {
    return `${this.#stateMachineArns[flow].replace(':stateMachine:', ':execution:')}:${name}`;
  }
}

const asDriverError = (what: string, cause: unknown) =>
  new DriverError(`${what}: ${(cause as Error).message}`, { cause, isTransient: isPassing(cause) });
