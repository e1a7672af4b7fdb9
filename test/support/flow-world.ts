// A control plane whose flows run for real, over noop drivers that outlive it: the process may be made to die at any call it makes,
// and another one goes on. Time is the test's: who waits turns the clock.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { apiHandler } from '../../lambdas/api/handler.ts';
import { isPending } from '../../lambdas/domain/statuses.ts';
import type { FlowDriver } from '../../lambdas/drivers/flows/flow-driver.ts';
import { housekeepingHandler } from '../../lambdas/housekeeping/handler.ts';
import { flowEndedHandler } from '../../lambdas/housekeeping/reconcile.ts';
import { type Config, defaultConfig } from '../../lambdas/runtime/config.ts';
import type { Services } from '../../lambdas/runtime/services.ts';
import { amphoraHandler } from '../../lambdas/tasks/amphora.ts';
import { computeHandler } from '../../lambdas/tasks/compute.ts';
import { lifecycleHandler } from '../../lambdas/tasks/lifecycle.ts';
import { networkHandler } from '../../lambdas/tasks/network.ts';
import type { TaskHandler } from '../../lambdas/tasks/task.ts';
import { applyConfigurationHandler } from '../../lambdas/worker/apply-configuration.ts';
import { startOperationHandler } from '../../lambdas/worker/start-operation.ts';
import { type ExecutionStore, SqliteExecutionStore } from '../../local/flows/execution-store.ts';
import { FlowHalted } from '../../local/flows/failures.ts';
import { LocalFlowDriver } from '../../local/flows/local-flow-driver.ts';
import { FlowClient } from './flow-client.ts';
import { mortal, paperAuthority } from './flow-process-life.ts';
import { FlowQueue } from './flow-queue.ts';
import { flowDefinitions } from './flow-states.ts';
import { type Answer, type HttpWish, send } from './http.ts';
import { type TestServices, testServices } from './services.ts';

/** Something that happens when a task or a driver's method is called. */
export interface Fault {
  /** `<flow>/<state>` or `<driver>.<method>`. */
  at: string;
  moment: 'before' | 'after';
  /** How often it happens; then it is over. */
  times: number;
  /** May throw what the caller gets. */
  act(): unknown;
}

/** One life of the process. */
interface Life {
  services: Services;
  flows: LocalFlowDriver;
  store: ExecutionStore;
  isDead: boolean;
}

const watchedDrivers = ['compute', 'network', 'amphora', 'queue', 'flows', 'table'] as const;
type DriverName = (typeof watchedDrivers)[number];
/** Calls that change something outside of the process, and so are worth dying at. */
const effects = new Set(
  ['table.transact', 'queue.send', 'flows.start', 'compute.build', 'compute.delete', 'network.plugVip'].concat([
    'compute.deleteHost',
    'network.unplugVip',
    'network.takeVip',
    'network.releaseVip',
    'amphora.pushConfiguration',
    'amphora.postVipPlug',
    'amphora.leaveVip',
    'amphora.putAuthorities',
    'amphora.putCertificate',
    'amphora.putHeartbeatKey',
  ]),
);
const quiet = new Set(['table', 'queue', 'flows']);

export const projectId = 'a0a0a0a0b0b0c0c0d0d0e0e0e0e0e0e0';
const caller = { project_id: projectId, roles: ['member', 'admin'] };
const tick = () => new Promise<void>((resolve) => setImmediate(resolve));

export class FlowWorld extends FlowClient {
  readonly outside: TestServices;
  readonly queue: FlowQueue;
  /** Calls of compute, network and amphora drivers, and how often each state was entered. */
  readonly journal: string[] = [];
  readonly visits = new Map<string, number>();
  readonly faults: Fault[] = [];
  /** What housekeeping threw. */
  readonly refusals: unknown[] = [];
  /** Is told what each task is given, and what it answers or throws: what Step Functions keeps in its history. */
  witness: (at: string, told: unknown) => void = () => {};
  effects = 0;
  /** What happens when the process is about to make the call of that number. */
  atEffect: { number: number; act(): unknown } | undefined;
  /** What every call waits for first; so that others come in between. */
  pace: () => Promise<unknown> = async () => {};
  readonly #directory = mkdtempSync(join(tmpdir(), 'flow-world-'));
  readonly #config: Config;
  #life: Life;
  #lives = 0;

  constructor(config: Partial<Config> = {}, outside: Partial<TestServices> = {}) {
    super();
    this.#config = { ...defaultConfig, ...config };
    this.outside = testServices({ authority: paperAuthority, ...outside });
    this.queue = new FlowQueue(this.outside.clock);
    this.#life = this.#born();
  }

  get services(): Services {
    return this.#life.services;
  }

  get flows(): FlowDriver {
    return this.#life.flows;
  }

  get clock() {
    return this.outside.clock;
  }

  async close(): Promise<void> {
    this.#life.isDead = true;
    await this.#life.flows.close(0);
    await this.outside.table.close();
    rmSync(this.#directory, { recursive: true });
  }

  #born(): Life {
    const life = { isDead: false } as Life;
    life.store = mortal(life, new SqliteExecutionStore(join(this.#directory, 'executions.sqlite')));

    const task =
      (handlerOf: (services: Services) => TaskHandler): ((payload: unknown) => Promise<unknown>) =>
      (given) => {
        const { at, ...payload } = given as { at: string; task: string };
        this.visits.set(at, (this.visits.get(at) ?? 0) + 1);
        this.witness(at, payload);
        const answered = this.#around(life, at, () => handlerOf(life.services)(payload));
        void answered.then(
          (answer) => this.witness(at, answer),
          (error) => this.witness(at, error),
        );
        return answered;
      };
    life.flows = new LocalFlowDriver({
      definitions: flowDefinitions(),
      tasks: {
        LifecycleTasks: task(lifecycleHandler),
        ComputeTasks: task(computeHandler),
        NetworkTasks: task(networkHandler),
        AmphoraTasks: task(amphoraHandler),
      },
      store: life.store,
      now: () => this.clock.now(),
      sleep: (ms) => this.clock.sleep(ms),
      onEnded: async ({ name, state, input }) => {
        if (state === 'SUCCEEDED') return;
        await flowEndedHandler(life.services)({ detail: { name, status: state, input: JSON.stringify(input) } });
      },
    });
    life.services = { ...this.outside, config: this.#config, queue: this.queue, flows: life.flows };
    for (const name of watchedDrivers) this.#watch(life, name);
    return life;
  }

  #watch(life: Life, driver: DriverName): void {
    const target = life.services[driver];
    const watched = new Proxy(target, {
      get: (of, method: string) => {
        const value = Reflect.get(of, method);
        if (typeof value !== 'function') return value;
        return (...args: unknown[]) => {
          const at = `${driver}.${method}`;
          if (effects.has(at)) this.#note(driver, at);
          return this.#around(life, at, () => value.apply(of, args));
        };
      },
    });
    Object.assign(life.services, { [driver]: watched });
  }

  #note(driver: DriverName, at: string): void {
    this.effects += 1;
    if (this.effects === this.atEffect?.number) this.atEffect.act();
    if (!quiet.has(driver)) this.journal.push(at);
  }

  async #around<T>(life: Life, at: string, run: () => Promise<T>): Promise<T> {
    const alive = () => {
      if (life.isDead) throw new FlowHalted('the process is dead');
    };
    alive();
    await this.pace();
    await this.#strike(at, 'before');
    alive();
    const answer = await run();
    await this.#strike(at, 'after');
    alive();
    return answer;
  }

  async #strike(at: string, moment: Fault['moment']): Promise<void> {
    const fault = this.faults.find((one) => one.at === at && one.moment === moment && one.times > 0);
    if (fault === undefined) return;
    fault.times -= 1;
    await fault.act();
  }

  /** Lets something happen the next times a state or method is reached. */
  on(at: string, moment: Fault['moment'], act: Fault['act'], times = 1): Fault {
    const fault = { at, moment, act, times };
    this.faults.push(fault);
    return fault;
  }

  /** Holds who comes by until it is let go; the rest of the world goes on. */
  hold(at: string, moment: Fault['moment'] = 'before') {
    const gate = Promise.withResolvers<void>();
    const held = { isReached: false, letGo: () => gate.resolve(), reached: () => this.runUntil(() => held.isReached) };
    this.on(at, moment, () => {
      held.isReached = true;
      return gate.promise;
    });
    return held;
  }

  /** Queues and flows go on until it is so. @throws Error when it never is */
  async runUntil(isSo: () => boolean | Promise<boolean>): Promise<void> {
    for (let ticks = 0; ticks < 2_000; ticks++) {
      if (await isSo()) return;
      await this.deliver();
      await tick();
    }
    throw new Error('waited in vain');
  }

  /** Whatever the process still does has no effect; the next look finds it dead and starts another. */
  die = (): void => {
    this.#life.isDead = true;
  };

  /** As an operator would: every running execution is stopped, and will not go on. */
  abortFlows = async (): Promise<void> => {
    for (const { flow, name } of this.#life.store.running())
      void this.#life.flows.stop(flow as never, name, 'stopped by the test');
  };

  async restart(): Promise<void> {
    this.#life.isDead = true;
    await this.#life.flows.close(0);
    if (++this.#lives > 20) throw new Error('dies again and again');
    this.#life = this.#born();
    await this.#life.flows.resume();
  }

  api(wish: HttpWish): Promise<Answer> {
    return send(apiHandler(this.services), { caller, ...wish });
  }

  /** Queues are empty and no flow runs; the clock stands still but for what flows wait. */
  async runOut(): Promise<void> {
    for (;;) {
      if (this.#life.isDead) await this.restart();
      await this.deliver();
      await tick();
      if (this.#life.isDead || this.queue.hasDue()) continue;
      if (this.#life.store.running().length === 0) return;
    }
  }

  /** Goes on for so many ticks, whatever hangs; a dead process is replaced first. */
  async advance(ticks: number): Promise<void> {
    if (this.#life.isDead) await this.restart();
    for (let count = 0; count < ticks; count++) {
      void this.deliver();
      await tick();
    }
  }

  /** Executions that run, with their inputs, youngest last. */
  running() {
    return this.#life.store.running();
  }

  async deliver(): Promise<void> {
    const { services } = this;
    const handlers = { work: applyConfigurationHandler(services), operations: startOperationHandler(services) };
    await this.queue.deliver(handlers);
  }

  async housekeeping(): Promise<void> {
    try {
      await housekeepingHandler(this.services)();
    } catch (error) {
      // The schedule runs it again; what matters is what becomes of the world.
      this.refusals.push(error);
    }
  }

  /** What the running system does until nothing is left to do: queues, flows, and housekeeping at every deadline. */
  async settle(): Promise<void> {
    for (let round = 0; round < 40; round++) {
      await this.runOut();
      const next = await this.#nextDeadline();
      if (next === undefined) return;
      this.clock.turn(Math.max(30_000, next - this.clock.now() + 1));
      await this.housekeeping();
    }
    throw new Error('is never quiet');
  }

  async #nextDeadline(): Promise<number | undefined> {
    const deadlines = (await this.loadBalancers())
      .filter((row) => isPending(row.provisioning_status))
      .map((row) => row.operation!.deadline);
    if (this.queue.nextDue() !== undefined) deadlines.push(this.queue.nextDue()!);
    return deadlines.length === 0 ? undefined : Math.min(...deadlines);
  }

  /** An hour later, looked after twice: whatever belongs to nobody has been swept. */
  async age(): Promise<void> {
    for (const hours of [1, 1]) {
      this.clock.turn(hours * 3_600_000);
      await this.housekeeping();
      await this.settle();
    }
  }
}
