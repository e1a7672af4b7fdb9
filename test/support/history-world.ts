// The flow tests' world as a random history needs it: the same ids and the same order of calls each time, and every way in which
// things go wrong.
import { createHash } from 'node:crypto';
import type { SignedHeartbeat } from '../../amphora/agent-api.ts';
import { DriverError } from '../../lambdas/domain/errors.ts';
import { TableUnavailable } from '../../lambdas/drivers/table/table.ts';
import type { Config } from '../../lambdas/runtime/config.ts';
import { FlowAmphorae } from './flow-amphorae.ts';
import { FlowWorld } from './flow-world.ts';
import { RememberingAmphorae, RepeatedTable, VipWatch, WatchedCompute, WatchedNetwork } from './history-drivers.ts';
import { seeded } from './random.ts';
import { TurnableClock } from './services.ts';

const nextTick = () => new Promise<void>((resolve) => setImmediate(resolve));

/** Ids that look like UUIDs, the same ones in each run. */
function numberedIds(): () => string {
  let made = 0;
  return () => {
    const hex = createHash('md5').update(String(++made)).digest('hex');
    return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20)}`;
  };
}

function outsideOf() {
  const clock = new TurnableClock();
  const table = new RepeatedTable();
  const newId = numberedIds();
  const vips = new VipWatch();
  const network = new WatchedNetwork({ table, clock, newId }, vips);
  const drivers = { network, amphora: new RememberingAmphorae(vips), compute: new WatchedCompute(vips) };
  return { vips, services: { clock, table, newId, ...drivers } };
}

/** Ways a driver's method fails. */
const failings = [
  { moment: 'before', times: 2, error: () => new DriverError('throttled', { isTransient: true }) },
  { moment: 'after', times: 1, error: () => new DriverError('timed out after its effect', { isTransient: true }) },
  { moment: 'before', times: 1, error: () => new DriverError('refused') },
  { moment: 'after', times: 1, error: () => new TypeError('broken after its effect') },
  { moment: 'before', times: 30, error: () => new DriverError('away', { isTransient: true }) },
] as const;

const methods = [
  ...['compute.build', 'compute.get', 'compute.delete', 'network.plugVip', 'network.unplugVip', 'network.takeVip'],
  ...['network.releaseVip', 'amphora.pushConfiguration', 'amphora.postVipPlug', 'queue.send', 'flows.start'],
];
const holdable = ['network.takeVip', 'network.takeVip', 'amphora.pushConfiguration', 'compute.build', 'table.transact'];
/** Where a move of a VIP may stand still: before its epoch is raised, on its way with it, and on its way to the amphora. */
const moves = ['failover-amphora/TakeVip', 'network.takeVip', 'amphora.postVipPlug', 'failover-amphora/StandbyTakeVip'];

export class HistoryWorld extends FlowWorld {
  readonly amphorae: FlowAmphorae;
  readonly vips: VipWatch;
  readonly table: RepeatedTable;
  readonly texts: Map<string, string>;
  /** Heartbeats on their way. */
  late: SignedHeartbeat[] = [];
  /** Amphorae without a machine, which never speak again. */
  readonly ended = new Set<string>();
  /** Connections clients made, by load balancer. */
  readonly carried = new Map<string, number>();
  #held: (() => void)[] = [];

  constructor(config: Partial<Config>, seed: number) {
    const outside = outsideOf();
    super(config, outside.services);
    this.vips = outside.vips;
    this.table = outside.services.table;
    this.texts = outside.services.amphora.texts;
    this.amphorae = new FlowAmphorae(this);
    const random = seeded(seed);
    this.pace = async () => {
      for (let ticks = Math.floor(random() * 3); ticks > 0; ticks--) await nextTick();
    };
  }

  /** Whoever is silent speaks again, if it can. */
  speakAgain(): void {
    this.amphorae.silent.clear();
    for (const id of this.ended) this.amphorae.silent.add(id);
  }

  /** @param n chooses the method and the way */
  break(n: number): void {
    const { moment, times, error } = failings[n % failings.length]!;
    const at = methods[Math.floor(n / failings.length) % methods.length]!;
    this.on(at, moment, () => this.#throw(error()), times);
  }

  #throw(error: Error): never {
    throw error;
  }

  /** The table is away until then: neither read nor written, and of some writes only the answer is lost. */
  outage(ms: number): void {
    const until = this.clock.now() + ms;
    const act = () => {
      // Whoever is told so tries again later, and that is how time passes here.
      this.clock.turn(50);
      if (this.clock.now() < until) throw new TableUnavailable('away');
    };
    for (const method of ['get', 'batchGet', 'query', 'queryIndex', 'transact'])
      this.on(`table.${method}`, method === 'transact' && ms % 2 === 1 ? 'after' : 'before', act, 500);
  }

  /** The next such call takes very long: it arrives when it is let go, whatever became of its flow. */
  holdOne(n: number): void {
    this.#holdAt(holdable[n % holdable.length]!);
  }

  /** So does the next move of a VIP. */
  holdMove(n: number): void {
    this.#holdAt(moves[n % moves.length]!);
  }

  #holdAt(at: string): void {
    const gate = Promise.withResolvers<void>();
    this.on(at, 'before', () => gate.promise);
    this.#held.push(gate.resolve);
  }

  letGo(): void {
    for (const resolve of this.#held.splice(0)) resolve();
  }

  /** A new process finds its way before anything else happens: nothing that it waits for is held up. */
  override async restart(): Promise<void> {
    this.letGo();
    await super.restart();
  }

  /** No function lives for as long as some leaps are: what it was about to call is called before. */
  async leap(ms: number): Promise<void> {
    const { pace } = this;
    this.pace = async () => {};
    await this.advance(20);
    this.pace = pace;
    this.clock.turn(ms);
  }

  /** Whoever is held up ends with this world: the next one's rows have the same ids, and writers of a row queue up by its id. */
  override async close(): Promise<void> {
    this.die();
    this.letGo();
    for (let ticks = 0; ticks < 20; ticks++) await nextTick();
    await super.close();
  }

  dieAfter(calls: number): void {
    this.atEffect = { number: this.effects + calls, act: this.die };
  }

  /** Nothing goes wrong from here on. */
  calm(): void {
    this.faults.length = 0;
    this.atEffect = undefined;
    this.pace = async () => {};
    this.table.calm();
    this.letGo();
  }
}
