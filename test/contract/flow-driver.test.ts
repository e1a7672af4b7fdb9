// The flow driver's contract: one suite over the interpreter of this machine and over Step Functions.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SFNClient } from '@aws-sdk/client-sfn';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type FlowDriver, type FlowName, flowNames } from '../../lambdas/drivers/flows/flow-driver.ts';
import { StepFunctionsFlowDriver } from '../../lambdas/drivers/flows/step-functions.ts';
import { SqliteExecutionStore } from '../../local/flows/execution-store.ts';
import { localExecutionArn, localStateMachineArn } from '../../local/flows/load-flows.ts';
import { LocalFlowDriver } from '../../local/flows/local-flow-driver.ts';
import { type StepFunctionsDouble, startStepFunctionsDouble } from '../support/step-functions-double.ts';

const flow: FlowName = 'create-load-balancer';
const input = { load_balancer_id: 'lb-1' };
const output = { amphora_id: 'amp-1' };

interface Subject {
  driver: FlowDriver;
  /** Lets a running execution succeed with `output`. */
  finish(name: string): void;
  close(): Promise<void>;
}

function makeLocal(): Subject {
  const directory = mkdtempSync(join(tmpdir(), 'flow-driver-'));
  const gates = new Map<string, PromiseWithResolvers<unknown>>();
  const gate = (name: string) => {
    if (!gates.has(name)) gates.set(name, Promise.withResolvers());
    return gates.get(name)!;
  };
  const Parameters = { 'name.$': '$$.Execution.Name' };
  const A = { Type: 'Task', Resource: '${Hold}', Parameters, End: true };
  const driver = new LocalFlowDriver({
    definitions: { [flow]: { StartAt: 'A', States: { A } } },
    tasks: { Hold: (payload) => gate((payload as { name: string }).name).promise },
    store: new SqliteExecutionStore(join(directory, 'flows.sqlite')),
  });
  const close = async () => {
    await driver.close(0);
    rmSync(directory, { recursive: true });
  };
  return { driver, finish: (name) => gate(name).resolve(output), close };
}

function makeStepFunctions(double: StepFunctionsDouble): Subject {
  const stateMachineArns = Object.fromEntries(flowNames.map((name) => [name, localStateMachineArn(name)]));
  const credentials = { accessKeyId: 'a', secretAccessKey: 'b' };
  const client = new SFNClient({ endpoint: double.endpoint, region: 'us-east-1', credentials, maxAttempts: 1 });
  const driver = new StepFunctionsFlowDriver({
    client,
    stateMachineArns: stateMachineArns as Record<FlowName, string>,
  });
  const close = async () => {
    client.destroy();
    await double.close();
  };
  return { driver, finish: (name) => double.succeed(localExecutionArn(flow, name), output), close };
}

const subjects: Record<string, () => Promise<Subject>> = {
  'the local interpreter': async () => makeLocal(),
  'Step Functions': async () => makeStepFunctions(await startStepFunctionsDouble()),
};

describe.each(Object.entries(subjects))('flow driver of %s', (_name, make) => {
  let subject: Subject;
  beforeEach(async () => {
    subject = await make();
  });
  afterEach(() => subject.close());
  const finished = (name: string) => {
    subject.finish(name);
    return vi.waitFor(async () => {
      expect(await subject.driver.describe(flow, name)).toEqual({ flow, name, state: 'SUCCEEDED', input, output });
    });
  };

  it('starts an execution and says how it ended', async () => {
    await subject.driver.start(flow, 'one', input);
    expect(await subject.driver.describe(flow, 'one')).toEqual({ flow, name: 'one', state: 'RUNNING', input });
    await finished('one');
  });

  it('takes the same start again as the same execution, running or ended', async () => {
    await subject.driver.start(flow, 'one', input);
    await subject.driver.start(flow, 'one', { ...input });
    await finished('one');
    await subject.driver.start(flow, 'one', input);
    expect(await subject.driver.describe(flow, 'one')).toMatchObject({ state: 'SUCCEEDED' });
  });

  it('refuses the name of an execution with another input', async () => {
    await subject.driver.start(flow, 'one', input);
    const second = subject.driver.start(flow, 'one', { load_balancer_id: 'lb-2' });
    await expect(second).rejects.toMatchObject({ name: 'DriverError', isTransient: false });
  });

  it('knows nothing of an execution that never was', async () => {
    expect(await subject.driver.describe(flow, 'none')).toBeUndefined();
  });

  it('stops a running execution with the cause, and lets an ended or unknown one be', async () => {
    await subject.driver.start(flow, 'one', input);
    await subject.driver.stop(flow, 'one', 'deleted meanwhile');
    const aborted = { flow, name: 'one', state: 'ABORTED', input, cause: 'deleted meanwhile' };
    expect(await subject.driver.describe(flow, 'one')).toEqual(aborted);
    await subject.driver.stop(flow, 'one', 'again');
    await subject.driver.stop(flow, 'none', 'unknown');
    expect(await subject.driver.describe(flow, 'one')).toEqual(aborted);
  });
});

describe('flow driver of Step Functions, faults', () => {
  it.each([
    ['ThrottlingException', 400, true],
    ['InternalFailure', 500, true],
    ['InvalidName', 400, false],
    ['StateMachineDoesNotExist', 400, false],
  ])('tells whether %s may pass', async (type, status, isTransient) => {
    const double = await startStepFunctionsDouble();
    const { driver, close } = makeStepFunctions(double);
    double.failNext(type, status);
    await expect(driver.start(flow, 'one', input)).rejects.toMatchObject({ name: 'DriverError', isTransient });
    await close();
  });
});

describe('flow driver of the local interpreter, refusals', () => {
  it.each([
    ['a name Step Functions would refuse', flow, 'a b', input],
    ['a flow there is none of', 'no-such-flow' as FlowName, 'one', input],
    ['an input over 256 KiB', flow, 'one', { text: 'x'.repeat(256 * 1024) }],
  ])('refuses %s', async (_what, of, name, given) => {
    const { driver, close } = makeLocal();
    await expect(driver.start(of, name, given)).rejects.toMatchObject({ name: 'DriverError' });
    await close();
  });
});
