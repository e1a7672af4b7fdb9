// The flow interpreter: each construct it runs, each it refuses, and that nothing is done less than once over a restart.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
// @ts-expect-error: asl-validator ships no types
import validate from 'asl-validator';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Execution, FlowName } from '../../lambdas/drivers/flows/flow-driver.ts';
import { SqliteExecutionStore } from '../../local/flows/execution-store.ts';
import { loadFlows, localStateMachineArn, type Task } from '../../local/flows/load-flows.ts';
import { LocalFlowDriver, type LocalFlowOptions } from '../../local/flows/local-flow-driver.ts';
import * as samples from '../support/sample-flows.ts';

type Tasks = Record<string, (payload: Record<string, unknown>) => unknown>;

const flow: FlowName = 'build-amphora';
const childFlow: FlowName = 'failover-amphora';
let directory: string;
let drivers: LocalFlowDriver[];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'flows-'));
  drivers = [];
});
afterEach(async () => {
  await Promise.all(drivers.map((driver) => driver.close(0)));
  rmSync(directory, { recursive: true, force: true });
});

const asTasks = (tasks: Tasks) =>
  Object.fromEntries(
    Object.entries(tasks).map(([name, task]): [string, Task] => [name, async (payload) => task(payload as never)]),
  );

function makeDriver(definitions: Record<string, unknown>, tasks: Tasks = {}, more: Partial<LocalFlowOptions> = {}) {
  const store = new SqliteExecutionStore(join(directory, 'flows.sqlite'));
  const driver = new LocalFlowDriver({ definitions, tasks: asTasks(tasks), store, waitScale: 0.001, ...more });
  drivers.push(driver);
  return driver;
}

const ended = (driver: LocalFlowDriver, name = 'one', of: FlowName = flow) =>
  vi.waitFor(async () => {
    const execution = await driver.describe(of, name);
    expect(execution?.state).not.toBe('RUNNING');
    return execution as Execution;
  });

async function run(states: object, input: Record<string, unknown> = {}, tasks: Tasks = {}, top: object = {}) {
  const driver = makeDriver({ [flow]: { StartAt: Object.keys(states)[0], States: states, ...top } }, tasks);
  await driver.start(flow, 'one', input);
  return ended(driver);
}

const end = { End: true };
const task = { Type: 'Task', Resource: '${Work}' };
const named = (name: string, message = 'no') => Object.assign(new Error(message), { name });
const fails = (name: string) => () => {
  throw named(name);
};

describe('data of a flow', () => {
  it('hands a task its parameters and keeps what it provides under ResultPath', async () => {
    const Parameters = { task: 'Work', 'id.$': '$.ids[1]', 'name.$': '$$.State.Name', deep: [{ 'all.$': '$' }] };
    const Work = vi.fn(() => ({ zone: 'a', noise: 1 }));
    const states = { A: { ...task, Parameters, ResultSelector: { 'at.$': '$.zone' }, ResultPath: '$.x.y', ...end } };
    const { output } = await run(states, { ids: ['0', '1'] }, { Work });
    expect(Work).toHaveBeenCalledWith({ task: 'Work', id: '1', name: 'A', deep: [{ all: { ids: ['0', '1'] } }] });
    expect(output).toEqual({ ids: ['0', '1'], x: { y: { at: 'a' } } });
  });

  it.each([
    ['InputPath narrows what a state sees', { InputPath: '$.a', ...end }, { b: 1 }],
    ['InputPath null is an empty object', { InputPath: null, ...end }, {}],
    ['OutputPath narrows what it hands on', { OutputPath: '$.a.b', ...end }, 1],
    ['ResultPath null keeps the input', { Result: 5, ResultPath: null, ...end }, { a: { b: 1 } }],
    ['ResultPath adds to a copy', { Result: 5, ResultPath: "$['a'].c", ...end }, { a: { b: 1, c: 5 } }],
  ])('%s', async (_title, fields, output) => {
    expect(await run({ A: { Type: 'Pass', ...fields } }, { a: { b: 1 } })).toMatchObject({
      state: 'SUCCEEDED',
      output,
    });
  });

  it('knows the execution in its context', async () => {
    const Parameters = {
      'id.$': '$$.Execution.Id',
      'name.$': '$$.Execution.Name',
      'input.$': '$$.Execution.Input.a',
      'at.$': '$$.Execution.StartTime',
      'retries.$': '$$.State.RetryCount',
    };
    const { output } = await run({ A: { Type: 'Pass', Parameters, ...end } }, { a: 7 });
    const id = `arn:aws:states:local:000000000000:execution:${flow}:one`;
    expect(output).toEqual({ id, name: 'one', input: 7, at: expect.stringMatching(/^\d{4}-.*Z$/), retries: 0 });
  });

  it('has the four intrinsic functions', async () => {
    const Parameters = {
      'text.$': "States.Format('{}, it\\'s {}', $.a, 3)",
      'list.$': "States.Array($.a, 'b', true)",
      'json.$': 'States.JsonToString($)',
      'id.$': 'States.UUID()',
    };
    const { output } = await run({ A: { Type: 'Pass', Parameters, ...end } }, { a: 'x' });
    const id = expect.stringMatching(/^[0-9a-f-]{36}$/);
    expect(output).toEqual({ text: "x, it's 3", list: ['x', 'b', true], json: '{"a":"x"}', id });
  });

  it('ends with a runtime error nobody catches when a path leads nowhere', async () => {
    const Catch = [{ ErrorEquals: ['States.ALL'], Next: 'B' }];
    const A = { ...task, Parameters: { 'x.$': '$.none' }, Catch, Next: 'B' };
    const execution = await run({ A, B: { Type: 'Succeed' } }, {}, { Work: () => 1 });
    expect(execution).toMatchObject({ state: 'FAILED', error: 'States.Runtime' });
  });

  it('refuses more than 256 KiB, which States.ALL does not catch but its name does', async () => {
    const Work = () => 'x'.repeat(256 * 1024);
    const caught = (name: string) => ({
      A: { ...task, Catch: [{ ErrorEquals: [name], ResultPath: '$.e', Next: 'B' }], Next: 'B' },
      B: { Type: 'Succeed' },
    });
    const failed = { state: 'FAILED', error: 'States.DataLimitExceeded' };
    expect(await run(caught('States.ALL'), {}, { Work })).toMatchObject(failed);
    await drivers.pop()?.close();
    rmSync(join(directory, 'flows.sqlite'));
    expect(await run(caught('States.DataLimitExceeded'), {}, { Work })).toMatchObject({ state: 'SUCCEEDED' });
  });
});

describe('states', () => {
  const choice = (rule: object) => ({
    A: { Type: 'Choice', Choices: [{ ...rule, Next: 'Yes' }], Default: 'No' },
    Yes: { Type: 'Pass', Result: 'yes', ...end },
    No: { Type: 'Pass', Result: 'no', ...end },
  });
  const is = (Variable: string, operator: string, value: unknown) => ({ Variable, [operator]: value });

  it.each([
    [is('$.s', 'StringEquals', 'a'), 'yes'],
    [is('$.s', 'StringEquals', 'b'), 'no'],
    [is('$.t', 'BooleanEquals', true), 'yes'],
    [is('$.n', 'NumericEquals', 2), 'yes'],
    [is('$.n', 'NumericLessThan', 2), 'no'],
    [is('$.n', 'NumericLessThanEquals', 2), 'yes'],
    [is('$.n', 'NumericGreaterThan', 1), 'yes'],
    [is('$.n', 'NumericGreaterThanEquals', 3), 'no'],
    [is('$.s', 'NumericEquals', 2), 'no'],
    [is('$.none', 'IsPresent', false), 'yes'],
    [is('$.z', 'IsNull', true), 'yes'],
    [{ Not: is('$.z', 'IsNull', true) }, 'no'],
    [{ And: [is('$.n', 'NumericEquals', 2), is('$.t', 'BooleanEquals', false)] }, 'no'],
    [{ Or: [is('$.n', 'NumericEquals', 2), is('$.t', 'BooleanEquals', false)] }, 'yes'],
    [{ And: [is('$.none', 'IsPresent', true), is('$.none', 'NumericEquals', 2)] }, 'no'],
  ])('chooses by %j: %s', async (rule, output) => {
    expect(await run(choice(rule), { s: 'a', n: 2, t: true, z: null })).toMatchObject({ output });
  });

  it('fails without a matching choice and without a Default', async () => {
    const A = { Type: 'Choice', Choices: [{ ...is('$.n', 'NumericEquals', 1), Next: 'B' }] };
    const execution = await run({ A, B: { Type: 'Succeed' } }, { n: 2 });
    expect(execution).toMatchObject({ state: 'FAILED', error: 'States.NoChoiceMatched' });
  });

  it('fails with the error and cause a Fail state names or finds', async () => {
    const A = { Type: 'Fail', Error: 'NoAmphora', CausePath: '$.why' };
    expect(await run({ A }, { why: 'gone' })).toMatchObject({ state: 'FAILED', error: 'NoAmphora', cause: 'gone' });
  });

  it('waits scaled seconds, given or read', async () => {
    const sleep = vi.fn(async () => {});
    const States = { A: { Type: 'Wait', Seconds: 10, Next: 'B' }, B: { Type: 'Wait', SecondsPath: '$.s', ...end } };
    const driver = makeDriver({ [flow]: { StartAt: 'A', States } }, {}, { sleep, now: () => 0, waitScale: 0.5 });
    await driver.start(flow, 'one', { s: 4 });
    expect(await ended(driver)).toMatchObject({ state: 'SUCCEEDED', output: { s: 4 } });
    expect(sleep.mock.calls.map((call: unknown[]) => call[0])).toEqual([5_000, 2_000]);
  });

  it('runs branches side by side and answers in their order', async () => {
    const branch = (ms: number) => ({ StartAt: 'X', States: { X: { ...task, Parameters: { ms }, ...end } } });
    const Work = async ({ ms }: Record<string, unknown>) => delay(ms as number, ms);
    const A = { Type: 'Parallel', Branches: [branch(40), branch(5)], ResultPath: '$.r', ...end };
    expect(await run({ A }, { a: 1 }, { Work })).toMatchObject({ output: { a: 1, r: [40, 5] } });
  });

  it('stops the other branches when one fails, and shows Catch the input of the state', async () => {
    const done: unknown[] = [];
    const Work = async ({ n }: Record<string, unknown>) => {
      await delay(20);
      done.push(n);
    };
    const work = (n: number, more: object) => ({ ...task, Parameters: { n }, ResultPath: null, ...more });
    const slow = { StartAt: 'X', States: { X: work(1, { Next: 'Y' }), Y: work(2, end) } };
    const bad = { StartAt: 'Z', States: { Z: { Type: 'Fail', Error: 'Bad', Cause: 'it is' } } };
    const Catch = [{ ErrorEquals: ['States.TaskFailed'], ResultPath: '$.failure', Next: 'B' }];
    const A = { Type: 'Parallel', Branches: [slow, bad], Catch, Next: 'B' };
    const execution = await run({ A, B: { Type: 'Succeed' } }, { a: 1 }, { Work });
    expect(execution.output).toEqual({ a: 1, failure: { Error: 'Bad', Cause: 'it is' } });
    await delay(60);
    expect(done).not.toContain(2);
  });

  it('maps items, a bounded number at once, each with its index', async () => {
    let running = 0;
    let most = 0;
    const Work = async (payload: Record<string, unknown>) => {
      most = Math.max(most, ++running);
      await delay(5);
      running--;
      return payload;
    };
    const ItemSelector = { 'i.$': '$$.Map.Item.Index', 'id.$': '$$.Map.Item.Value.id', 'lb.$': '$.lb' };
    const ItemProcessor = { ProcessorConfig: { Mode: 'INLINE' }, StartAt: 'X', States: { X: { ...task, ...end } } };
    const A = { Type: 'Map', ItemsPath: '$.list', ItemSelector, ItemProcessor, MaxConcurrency: 2, ...end };
    const list = ['p', 'q', 'r', 's'].map((id) => ({ id }));
    const { output } = await run({ A }, { lb: 'L', list }, { Work });
    expect(output).toEqual(list.map(({ id }, i) => ({ i, id, lb: 'L' })));
    expect(most).toBe(2);
  });

  it('times a task and a whole flow out', async () => {
    const Work = () => delay(5_000, undefined, { ref: false });
    const Catch = [{ ErrorEquals: ['States.Timeout'], ResultPath: '$.e', Next: 'B' }];
    const A = { ...task, TimeoutSeconds: 1, Catch, Next: 'B' };
    const caught = makeDriver(
      {
        [flow]: { StartAt: 'A', States: { A, B: { Type: 'Succeed' } } },
        [childFlow]: { StartAt: 'A', TimeoutSeconds: 1, States: { A: { ...task, ...end } } },
      },
      { Work },
    );
    await caught.start(flow, 'one', {});
    await caught.start(childFlow, 'one', {});
    await delay(1_100);
    expect(await ended(caught)).toMatchObject({ state: 'SUCCEEDED', output: { e: { Error: 'States.Timeout' } } });
    expect(await ended(caught, 'one', childFlow)).toMatchObject({ state: 'TIMED_OUT', error: 'States.Timeout' });
  });
});

describe('failures', () => {
  it('says what failed as Lambda does', async () => {
    const execution = await run({ A: { ...task, ...end } }, {}, { Work: fails('ComputeNotReady') });
    const cause = JSON.stringify({ errorMessage: 'no', errorType: 'ComputeNotReady' });
    expect(execution).toMatchObject({ state: 'FAILED', error: 'ComputeNotReady', cause });
  });

  it.each([
    ['ComputeNotReady', ['ComputeNotReady'], true],
    ['ComputeNotReady', ['AmphoraNotReady'], false],
    ['ComputeNotReady', ['States.ALL'], true],
    ['ComputeNotReady', ['States.TaskFailed'], true],
    ['States.Timeout', ['States.TaskFailed'], false],
    ['States.Timeout', ['States.ALL'], true],
    ['States.DataLimitExceeded', ['States.ALL'], false],
  ])('%s retried on %j: %s', async (name, ErrorEquals, isRetried) => {
    const Work = vi.fn(fails(name));
    await run({ A: { ...task, Retry: [{ ErrorEquals, MaxAttempts: 2 }], ...end } }, {}, { Work });
    expect(Work).toHaveBeenCalledTimes(isRetried ? 3 : 1);
  });

  it('waits longer before each retry, up to the longest, and counts retriers apart', async () => {
    const sleep = vi.fn(async () => {});
    const errors = ['A', 'A', 'A', 'B', 'A'];
    const counts: unknown[] = [];
    const Work = ({ count }: Record<string, unknown>) => {
      counts.push(count);
      const name = errors.shift();
      if (name) throw named(name);
    };
    const Retry = [
      { ErrorEquals: ['A'], IntervalSeconds: 1, BackoffRate: 3, MaxDelaySeconds: 5, MaxAttempts: 9 },
      { ErrorEquals: ['B'], IntervalSeconds: 2, MaxAttempts: 1 },
    ];
    const States = { X: { ...task, Parameters: { 'count.$': '$$.State.RetryCount' }, Retry, ...end } };
    const driver = makeDriver({ [flow]: { StartAt: 'X', States } }, { Work }, { sleep, now: () => 0, waitScale: 1 });
    await driver.start(flow, 'one', {});
    expect(await ended(driver)).toMatchObject({ state: 'SUCCEEDED' });
    expect(sleep.mock.calls.map((call: unknown[]) => call[0])).toEqual([1_000, 3_000, 5_000, 2_000, 5_000]);
    expect(counts).toEqual([0, 1, 2, 3, 4, 5]);
  });

  it('spreads retries with full jitter', async () => {
    const sleep = vi.fn(async () => {});
    const Retry = [{ ErrorEquals: ['A'], IntervalSeconds: 100, MaxAttempts: 1, JitterStrategy: 'FULL' }];
    const States = { X: { ...task, Retry, ...end } };
    const driver = makeDriver({ [flow]: { StartAt: 'X', States } }, { Work: fails('A') }, { sleep, now: () => 0 });
    await driver.start(flow, 'one', {});
    await ended(driver);
    const [[ms]] = sleep.mock.calls as unknown as [[number]];
    expect(ms).toBeLessThan(100);
  });

  it('retries a whole Parallel from its beginning', async () => {
    const calls: unknown[] = [];
    const Work = ({ n }: Record<string, unknown>) => {
      calls.push(n);
      if (n === 2 && calls.filter((call) => call === 2).length === 1) throw named('Once');
      return n;
    };
    const step = (n: number, more: object) => ({ ...task, Parameters: { n }, ...more });
    const branch = { StartAt: 'X', States: { X: step(1, { Next: 'Y' }), Y: step(2, end) } };
    const A = { Type: 'Parallel', Branches: [branch], Retry: [{ ErrorEquals: ['Once'] }], ...end };
    expect(await run({ A }, {}, { Work })).toMatchObject({ output: [2] });
    expect(calls).toEqual([1, 2, 1, 2]);
  });
});

describe('child flows', () => {
  const Resource = 'arn:aws:states:::states:startExecution.sync:2';
  const call = (more: object = {}) => ({
    Type: 'Task',
    Resource,
    Parameters: { StateMachineArn: '${FailoverAmphora}', Input: { 'id.$': '$.id' }, ...more },
  });
  const child = { StartAt: 'X', States: { X: { ...task, ...end } } };

  it('answers as Step Functions does, with the output parsed', async () => {
    const States = { A: { ...call({ 'Name.$': '$.id' }), ...end } };
    const Work = (payload: unknown) => ({ got: payload });
    const driver = makeDriver({ [flow]: { StartAt: 'A', States }, [childFlow]: child }, { Work });
    await driver.start(flow, 'one', { id: 'amp-1' });
    const { output } = await ended(driver);
    expect(output).toMatchObject({ Status: 'SUCCEEDED', Name: 'amp-1', Output: { got: { id: 'amp-1' } } });
    expect(output).toMatchObject({ StateMachineArn: localStateMachineArn(childFlow) });
    expect(await driver.describe(childFlow, 'amp-1')).toMatchObject({ state: 'SUCCEEDED', input: { id: 'amp-1' } });
  });

  it('fails with the execution of the child as its cause', async () => {
    const States = { A: { ...call(), ...end } };
    const driver = makeDriver({ [flow]: { StartAt: 'A', States }, [childFlow]: child }, { Work: fails('Broken') });
    await driver.start(flow, 'one', { id: 'amp-1' });
    const { error, cause } = await ended(driver);
    expect(error).toBe('States.TaskFailed');
    expect(JSON.parse(cause ?? '')).toMatchObject({ Status: 'FAILED', Error: 'Broken' });
  });

  it('refuses the name of a child that ended before', async () => {
    const States = {
      A: { ...call({ Name: 'same' }), ResultPath: null, Next: 'B' },
      B: { ...call({ Name: 'same' }), ...end },
    };
    const driver = makeDriver({ [flow]: { StartAt: 'A', States }, [childFlow]: child }, { Work: () => 1 });
    await driver.start(flow, 'one', { id: 'amp-1' });
    expect((await ended(driver)).error).toBe('StepFunctions.ExecutionAlreadyExistsException');
  });

  it('stops the child with its parent', async () => {
    const States = { A: { ...call({ Name: 'kid' }), ...end } };
    const Work = () => delay(5_000, undefined, { ref: false });
    const driver = makeDriver({ [flow]: { StartAt: 'A', States }, [childFlow]: child }, { Work });
    await driver.start(flow, 'one', { id: 'amp-1' });
    await vi.waitFor(async () => expect(await driver.describe(childFlow, 'kid')).toMatchObject({ state: 'RUNNING' }));
    await driver.stop(flow, 'one', 'enough');
    expect(await ended(driver, 'kid', childFlow)).toMatchObject({ state: 'ABORTED' });
  });

  it('joins its child after a restart instead of starting another', async () => {
    const States = { A: { ...call(), ...end } };
    const definitions = { [flow]: { StartAt: 'A', States }, [childFlow]: child };
    const first = makeDriver(definitions, { Work: () => delay(5_000, undefined, { ref: false }) });
    await first.start(flow, 'one', { id: 'amp-1' });
    await delay(30);
    await first.close(0);
    const ends: Execution[] = [];
    const second = makeDriver(
      definitions,
      { Work: () => 'done' },
      { onEnded: (execution) => void ends.push(execution) },
    );
    await second.resume();
    expect(await ended(second)).toMatchObject({ state: 'SUCCEEDED', output: { Output: 'done' } });
    await vi.waitFor(() => expect(ends.map((execution) => execution.flow)).toEqual([childFlow, flow]));
  });
});

describe('restart', () => {
  const work = (n: number, more: object) => ({ ...task, Parameters: { n }, ResultPath: `$.r${n}`, ...more });

  it('goes on at the state in flight, in every branch, and runs no ended one again', async () => {
    const branch = (n: number) => ({
      StartAt: `X${n}`,
      States: { [`X${n}`]: work(n, { Next: 'Y' }), Y: work(n + 1, end) },
    });
    const A = work(0, { Next: 'P' });
    const P = { Type: 'Parallel', Branches: [branch(1), branch(3)], ResultPath: '$.p', ...end };
    const definitions = { [flow]: { StartAt: 'A', States: { A, P } } };
    const hangs = new Set([2]);
    const calls: unknown[] = [];
    const Work = ({ n }: Record<string, unknown>) => {
      calls.push(n);
      return hangs.has(n as number) ? delay(5_000, undefined, { ref: false }) : n;
    };
    const first = makeDriver(definitions, { Work });
    await first.start(flow, 'one', {});
    await vi.waitFor(() => expect(calls).toHaveLength(5));
    await first.close(0);
    hangs.clear();
    const second = makeDriver(definitions, { Work });
    await second.resume();
    const { output } = await ended(second);
    expect(output).toEqual({
      r0: 0,
      p: [
        { r0: 0, r1: 1, r2: 2 },
        { r0: 0, r3: 3, r4: 4 },
      ],
    });
    expect(calls.slice(5)).toEqual([2]);
  });

  it('counts retries on and waits only for the rest', async () => {
    let now = 0;
    const Retry = [{ ErrorEquals: ['A'], IntervalSeconds: 100, BackoffRate: 1, MaxAttempts: 2 }];
    const definitions = { [flow]: { StartAt: 'X', States: { X: { ...task, Retry, ...end } } } };
    const options = { now: () => now, waitScale: 1 };
    const first = makeDriver(definitions, { Work: fails('A') }, options);
    await first.start(flow, 'one', {});
    await delay(30);
    await first.close();
    now = 60_000;
    const sleep = vi.fn(async () => {});
    const second = makeDriver(definitions, { Work: fails('A') }, { ...options, sleep });
    await second.resume();
    expect(await ended(second)).toMatchObject({ state: 'FAILED', error: 'A' });
    expect(sleep.mock.calls.map((call: unknown[]) => call[0])).toEqual([40_000, 100_000]);
  });

  it('records what a task in flight made while the process closes', async () => {
    const definitions = { [flow]: { StartAt: 'A', States: { A: work(1, { Next: 'B' }), B: work(2, end) } } };
    const calls: unknown[] = [];
    const Work = async ({ n }: Record<string, unknown>) => {
      calls.push(n);
      await delay(30);
    };
    const first = makeDriver(definitions, { Work });
    await first.start(flow, 'one', {});
    await delay(10);
    await first.close();
    const second = makeDriver(definitions, { Work });
    expect(await second.describe(flow, 'one')).toMatchObject({ state: 'RUNNING' });
    await second.resume();
    await ended(second);
    expect(calls).toEqual([1, 2]);
  });

  it('tells an ending again that nobody took', async () => {
    const definitions = { [flow]: { StartAt: 'A', States: { A: { Type: 'Succeed' } } } };
    const first = makeDriver(definitions, {}, { onEnded: fails('Down') });
    await first.start(flow, 'one', {});
    await ended(first);
    await first.close();
    const onEnded = vi.fn();
    const second = makeDriver(definitions, {}, { onEnded });
    await second.resume();
    expect(onEnded).toHaveBeenCalledExactlyOnceWith(expect.objectContaining({ name: 'one', state: 'SUCCEEDED' }));
  });

  it('goes on after its process was killed, and repeats at most the state in flight', async () => {
    const log = join(directory, 'log');
    const script = new URL('../support/flow-process.ts', import.meta.url).pathname;
    const start = (verb: string) =>
      spawn(process.execPath, [script, verb, directory], { stdio: ['ignore', 'pipe', 'inherit'] });
    const killed = start('start');
    await vi.waitFor(() => expect(readFileSync(log, 'utf8').split('\n').length).toBeGreaterThan(30), {
      timeout: 5_000,
    });
    killed.kill('SIGKILL');
    await once(killed, 'exit');
    await once(start('resume'), 'exit');
    const lines = readFileSync(log, 'utf8').trim().split('\n');
    const expected = Array.from({ length: 10 }, (_, e) => Array.from({ length: 20 }, (_, s) => `${e}.${s}`)).flat();
    expect(new Set(lines)).toEqual(new Set(expected));
    expect(lines.length).toBeLessThanOrEqual(expected.length + 10);
  }, 15_000);

  it('forgets ended executions beyond the last thousand and those of yesterday', async () => {
    const store = new SqliteExecutionStore(join(directory, 'prune.sqlite'));
    const ending = { state: 'SUCCEEDED' as const, output: null, error: null, cause: null };
    const add = (name: string, ended_at: number, isTold = true) => {
      store.insert(flow, name, '{}', 0);
      store.end(flow, name, { ...ending, ended_at });
      if (isTold) store.markTold(flow, name);
    };
    const now = 100_000_000;
    add('yesterday', 1);
    add('untold', 2, false);
    add('old', now - 1_000_000);
    for (let i = 0; i < 1_000; i++) add(`new-${i}`, now - 400_000 + i);
    store.prune(now);
    const kept = ['yesterday', 'untold', 'old', 'new-0', 'new-999'].filter((name) => store.find(flow, name));
    expect(kept).toEqual(['untold', 'new-0', 'new-999']);
    store.close();
  });
});

describe('refusals', () => {
  const load = (definition: unknown) =>
    loadFlows({ definitions: { [flow]: definition }, tasks: { Work: async () => {} } });
  const withState = (state: object) => ({ StartAt: 'A', States: { A: state, B: { Type: 'Succeed' } } });
  const pass = { Type: 'Pass', ...end };
  const map = (more: object, processor: object = {}) => ({
    Type: 'Map',
    ItemProcessor: { StartAt: 'X', States: { X: pass }, ...processor },
    ...end,
    ...more,
  });

  it.each([
    [{ ...task, HeartbeatSeconds: 5, ...end }, 'HeartbeatSeconds'],
    [{ ...task, Resource: '${Other}', ...end }, '${Other}'],
    [{ ...task, Resource: 'arn:aws:lambda:other', ...end }, 'Resource'],
    [{ ...task, Resource: 'arn:aws:states:::sqs:sendMessage', ...end }, 'Resource'],
    [{ ...task, TimeoutSecondsPath: '$.t', ...end }, 'TimeoutSecondsPath'],
    [{ ...pass, Assign: {} }, 'Assign'],
    [{ ...pass, QueryLanguage: 'JSONata' }, 'QueryLanguage'],
    [{ ...pass, Parameters: { 'x.$': '$.a[*]' } }, 'Parameters.x.$'],
    [{ ...pass, Parameters: { 'x.$': '$..a' } }, 'Parameters.x.$'],
    [{ ...pass, Parameters: { 'x.$': '$.a[?(@.b)]' } }, 'Parameters.x.$'],
    [{ ...pass, Parameters: { 'x.$': '$.a[-1]' } }, 'Parameters.x.$'],
    [{ ...pass, Parameters: { y: [{ 'x.$': '$$.Task.Token' }] } }, '$$.Task.Token'],
    [{ ...pass, Parameters: { 'x.$': '$$.Map.Item.Value' } }, '$$.Map.Item.Value'],
    [{ ...pass, Parameters: { 'x.$': 'States.Hash($.a)' } }, 'States.Hash'],
    [{ ...pass, Parameters: { 'x.$': "States.Format('{}', States.UUID())" } }, 'Parameters.x.$'],
    [{ ...pass, Parameters: { 'x.$': 'States.UUID(1)' } }, 'Parameters.x.$'],
    [{ ...pass, ResultPath: '$.a[0]' }, 'ResultPath'],
    [{ ...pass, ResultPath: '$$.a' }, 'ResultPath'],
    [{ ...pass, Next: 'B' }, 'Next'],
    [{ Type: 'Pass' }, 'Next'],
    [{ Type: 'Pass', Next: 'Nowhere' }, 'Next'],
    [{ Type: 'Batch', ...end }, 'Type'],
    [{ Type: 'Wait', Timestamp: 'x', ...end }, 'Timestamp'],
    [{ Type: 'Wait', Seconds: 1, SecondsPath: '$.a', ...end }, 'Seconds'],
    [{ Type: 'Fail', Error: 'x', ErrorPath: '$.a' }, 'Error'],
    [{ Type: 'Choice', Choices: [{ Variable: '$.a', StringMatches: '*', Next: 'B' }] }, 'Choices[0]'],
    [{ Type: 'Choice', Choices: [{ Variable: '$.a', StringEqualsPath: '$.b', Next: 'B' }] }, 'Choices[0]'],
    [{ Type: 'Choice', Choices: [{ Variable: '$.a', NumericEquals: '1', Next: 'B' }] }, 'Choices[0].NumericEquals'],
    [{ Type: 'Choice', Choices: [{ Variable: '$.a', IsNull: true, Next: 'C' }] }, 'Next'],
    [{ ...task, Retry: [{ ErrorEquals: ['A'], MaxAttempts: -1 }], ...end }, 'Retry[0].MaxAttempts'],
    [{ ...task, Retry: [{ ErrorEquals: [] }], ...end }, 'Retry[0].ErrorEquals'],
    [{ ...task, Catch: [{ ErrorEquals: ['A'], Next: 'B', Output: 1 }], ...end }, 'Catch[0].Output'],
    [map({ Iterator: {} }), 'Iterator'],
    [map({ ToleratedFailureCount: 1 }), 'ToleratedFailureCount'],
    [map({}, { ProcessorConfig: { Mode: 'DISTRIBUTED' } }), 'ItemProcessor.ProcessorConfig.Mode'],
    [{ ...pass, Result: { a: '${Nope}' } }, '${Nope}'],
  ])('refuses %j, naming file, state and %s', (state, field) => {
    const place = `${flow}.asl.json: state A: field `;
    expect(() => load(withState(state))).toThrow(expect.objectContaining({ name: 'FlowRefused' }));
    expect(() => load(withState(state))).toThrow(place);
    expect(() => load(withState(state))).toThrow(field);
  });

  it('refuses an unknown field wherever it stands', () => {
    const places: ((field: object) => object)[] = [
      (field) => ({ ...withState(pass), ...field }),
      (field) => withState({ ...pass, ...field }),
      (field) => withState({ ...task, ...end, ...field }),
      (field) => withState({ ...task, Retry: [{ ErrorEquals: ['A'], ...field }], ...end }),
      (field) => withState({ ...task, Catch: [{ ErrorEquals: ['A'], Next: 'B', ...field }], ...end }),
      (field) => withState({ Type: 'Choice', Choices: [{ Variable: '$', IsNull: true, Next: 'B', ...field }] }),
      (field) =>
        withState({ Type: 'Choice', Choices: [{ Not: { Variable: '$', IsNull: true, ...field }, Next: 'B' }] }),
      (field) => withState({ Type: 'Parallel', Branches: [{ StartAt: 'X', States: { X: pass }, ...field }], ...end }),
      (field) =>
        withState({ Type: 'Parallel', Branches: [{ StartAt: 'X', States: { X: { ...pass, ...field } } }], ...end }),
      (field) => withState(map(field)),
      (field) => withState(map({}, field)),
      (field) => withState(map({}, { ProcessorConfig: field })),
    ];
    for (const place of places) expect(() => load(place({}))).not.toThrow();
    const name = fc.string({ minLength: 1 }).filter((text) => !samples.knownFields.has(text) && text !== '__proto__');
    const inherited = fc.constantFrom('constructor', 'toString', 'valueOf', 'hasOwnProperty');
    fc.assert(
      fc.property(fc.oneof(name, inherited), fc.constantFrom(...places), fc.jsonValue(), (field, place, value) => {
        expect(() => load(place({ [field]: value }))).toThrow(
          /is not supported|no substitution|exactly one comparison/,
        );
      }),
    );
  });
});

describe('sample flows', () => {
  it.each(Object.entries(samples.definitions))('%s is valid to asl-validator and loads', (_name, definition) => {
    const text = JSON.stringify(definition).replaceAll(
      /\$\{\w+\}/g,
      'arn:aws:lambda:us-east-1:000000000000:function:work',
    );
    expect(validate(JSON.parse(text))).toMatchObject({ isValid: true });
    const definitions = { [flow]: definition, [childFlow]: samples.definitions.chain };
    expect(() => loadFlows({ definitions, tasks: { Work: async () => {} } })).not.toThrow();
  });
});
