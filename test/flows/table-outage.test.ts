// A table that is away: heartbeats go back to their queue, and looks at who is silent come to nothing. However long it lasts and whenever it
// begins, no amphora is failed over for it, not even one, which is below the floor of the storm guard.
import { afterEach, expect, it } from 'vitest';
import type { SignedHeartbeat } from '../../amphora/agent-api.ts';
import { TableUnavailable } from '../../lambdas/drivers/table/table.ts';
import { scanHealth } from '../../lambdas/health-manager/scan.ts';
import { FlowAmphorae } from '../support/flow-amphorae.ts';
import { FlowWorld } from '../support/flow-world.ts';

const stepMs = 1_000;
const heartbeatMs = 10_000;
const visibilityMs = 30_000;

class Site {
  readonly world: FlowWorld;
  readonly amphorae: FlowAmphorae;
  readonly #lookEachMs: number;
  #isAway = false;
  #time = 0;
  /** Heartbeats that were not taken in, and when the queue hands them over again. */
  #back: { due: number; signed: SignedHeartbeat[] }[] = [];
  failedOver = 0;
  looksThatFailed = 0;

  constructor(health_scan_interval_ms: number, lookEachMs: number) {
    this.world = new FlowWorld({ health_scan_interval_ms });
    this.amphorae = new FlowAmphorae(this.world);
    this.#lookEachMs = lookEachMs;
    for (const method of ['get', 'batchGet', 'query', 'queryIndex', 'transact'])
      this.world.on(`table.${method}`, 'before', () => this.#answer(), Number.POSITIVE_INFINITY);
  }

  #answer(): void {
    if (this.#isAway) throw new TableUnavailable('away');
  }

  async pass(ms: number, { isAway = false } = {}): Promise<void> {
    this.#isAway = isAway;
    for (let passed = 0; passed < ms; passed += stepMs) {
      this.world.clock.turn(stepMs);
      this.#time += stepMs;
      // A look comes before the heartbeat of the same moment.
      if (this.#time % this.#lookEachMs === 0) await this.#look();
      if (this.#time % heartbeatMs === 0) await this.#speak(await this.amphorae.beats());
      const due = this.#back.filter((one) => one.due <= this.#time);
      this.#back = this.#back.filter((one) => !due.includes(one));
      for (const { signed } of due) await this.#speak(signed);
    }
    this.#isAway = false;
  }

  async #look(): Promise<void> {
    try {
      this.failedOver += (await scanHealth(this.world.services)).failed_over;
    } catch (error) {
      expect(error).toBeInstanceOf(TableUnavailable);
      this.looksThatFailed++;
    }
  }

  async #speak(signed: SignedHeartbeat[]): Promise<void> {
    const back = await this.amphorae.deliver(signed);
    if (back.length > 0) this.#back.push({ due: this.#time + visibilityMs, signed: back });
  }
}

let site: Site;
afterEach(() => site.world.close());

const cadences = [
  { where: 'on AWS', intervalMs: 60_000, lookEachMs: 10_000 },
  { where: 'on AWS while only the schedule looks', intervalMs: 60_000, lookEachMs: 60_000 },
  { where: 'where it is looked each three seconds', intervalMs: 3_000, lookEachMs: 3_000 },
];

it.each(cadences)(
  'no outage costs an amphora $where',
  async ({ intervalMs, lookEachMs }) => {
    site = new Site(intervalMs, lookEachMs);
    await site.world.createActive();
    await site.pass(120_000);
    const costly: string[] = [];
    for (const lengthMs of [5, 15, 25, 35, 45, 50, 55, 60, 65, 75, 85, 95, 125].map((seconds) => seconds * 1_000))
      for (const phaseMs of [1_000, 8_000, 15_000, 29_000, 43_000, 57_000]) {
        await site.pass(phaseMs);
        await site.pass(lengthMs, { isAway: true });
        // To the next whole minute, and until all is well again.
        await site.pass(180_000 - ((phaseMs + lengthMs) % 60_000));
        if (site.failedOver > 0) costly.push(`${lengthMs} ms from second ${phaseMs / 1_000}`);
        await site.world.runOut();
        site.failedOver = 0;
      }
    expect(costly).toEqual([]);
    expect(site.looksThatFailed).toBeGreaterThan(50);
  },
  120_000,
);

it.each(cadences)(
  'an amphora that fell silent is still failed over $where, and soon',
  async ({ intervalMs, lookEachMs }) => {
    site = new Site(intervalMs, lookEachMs);
    await site.world.createActive();
    await site.pass(120_000);
    for (const { id } of await site.amphorae.all()) site.amphorae.silent.add(id);
    await site.pass(60_000);
    expect(site.failedOver).toBe(0);
    await site.pass(lookEachMs === 60_000 ? 130_000 : 20_000);
    expect(site.failedOver).toBe(1);
  },
);
