// Reads HAProxy's `show stat` and keeps account of what was not reported yet: the statistics half of Octavia's health
// daemon. Pure.
import type { Heartbeat, ListenerStatistics } from '../agent-api.ts';
import type { Outline } from './config-diff.ts';

export interface StatRow {
  proxy: string;
  /** FRONTEND, BACKEND or the name of a server. */
  part: string;
  status: string;
  weight: number;
  connections: number;
  connectionLimit: number;
  traffic: Traffic;
}

export type Traffic = Pick<ListenerStatistics, 'tx' | 'rx' | 'totconns' | 'ereq'>;

const trafficNames = ['tx', 'rx', 'totconns', 'ereq'] as const;
const column = { proxy: 0, part: 1, scur: 4, slim: 6, stot: 7, bin: 8, bout: 9, ereq: 12, status: 17, weight: 18 };
/** Of the hundred columns, only as many as are read here are split off. */
const columnsRead = 19;

export function readStatistics(csv: string): StatRow[] {
  const rows = csv.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return rows.map((line) => {
    const cells = line.split(',', columnsRead);
    const number = (at: number) => Number(cells[at] || 0);
    return {
      proxy: cells[column.proxy] ?? '',
      part: cells[column.part] ?? '',
      status: cells[column.status] ?? '',
      weight: number(column.weight),
      connections: number(column.scur),
      connectionLimit: number(column.slim),
      traffic: {
        tx: number(column.bout),
        rx: number(column.bin),
        totconns: number(column.stot),
        ereq: number(column.ereq),
      },
    };
  });
}

export type Pools = Heartbeat['pools'];
export type ListenerStates = Record<string, { status: 'OPEN' | 'FULL'; conns: number }>;

/** Only what the configuration has: no internal proxies, no members that are on their way out. */
export function readStates(rows: StatRow[], configured: Outline): { listeners: ListenerStates; pools: Pools } {
  const listeners: ListenerStates = {};
  const pools: Pools = {};
  const poolNamed = (name: string) => {
    pools[name] ??= { status: 'DOWN', members: {} };
    return pools[name];
  };
  for (const row of rows) {
    if (row.part === 'FRONTEND' && configured.frontends.has(row.proxy)) {
      const isFull = row.connectionLimit > 0 && row.connections >= row.connectionLimit;
      listeners[row.proxy] = { status: isFull ? 'FULL' : 'OPEN', conns: row.connections };
    } else if (row.part === 'BACKEND' && isPool(row.proxy, configured)) {
      poolNamed(row.proxy).status = row.status.startsWith('UP') ? 'UP' : 'DOWN';
    } else if (isPool(row.proxy, configured) && configured.members.has(`${row.proxy}/${row.part}`)) {
      poolNamed(row.proxy).members[row.part] = row.status === 'UP' && row.weight === 0 ? 'DRAIN' : row.status;
    }
  }
  return { listeners, pools };
}

/** Backends of pools are named `<pool>:<listener>`; others are the agent's or HAProxy's own. */
const isPool = (proxy: string, configured: Outline) => proxy.includes(':') && configured.backends.has(proxy);

/** What tells one report from the next: health checks under way ("UP 1/3") and traffic are no news. */
export function newsIn(states: { listeners: ListenerStates; pools: Pools }): string {
  const listeners = Object.entries(states.listeners).map(([id, listener]) => [id, listener.status]);
  const pools = Object.entries(states.pools).map(([name, pool]) => [
    name,
    pool.status,
    Object.entries(pool.members).map(([id, status]) => [id, status.replace(/ \d+\/\d+$/, '')]),
  ]);
  return JSON.stringify([listeners, pools]);
}

interface SavedLedger {
  seen: Record<string, Record<string, Traffic>>;
  unreported: Record<string, Traffic>;
}

const noTraffic = (): Traffic => ({ tx: 0, rx: 0, totconns: 0, ereq: 0 });

/** Counters of HAProxy only grow within one worker: what each worker added since it was last seen is owed to a report. */
export class TrafficLedger {
  readonly #seen: Map<string, Record<string, Traffic>>;
  #unreported: Record<string, Traffic>;

  constructor(saved: SavedLedger = { seen: {}, unreported: {} }) {
    this.#seen = new Map(Object.entries(saved.seen));
    this.#unreported = saved.unreported;
  }

  see(worker: number, rows: StatRow[]): void {
    const before = this.#seen.get(String(worker)) ?? {};
    const now: Record<string, Traffic> = {};
    for (const { proxy, part, traffic } of rows) {
      if (part !== 'FRONTEND') continue;
      now[proxy] = traffic;
      const last = before[proxy] ?? noTraffic();
      // Smaller than before is another process that got the same pid.
      const isReset = trafficNames.some((name) => traffic[name] < last[name]);
      this.#unreported[proxy] ??= noTraffic();
      for (const name of trafficNames) this.#unreported[proxy][name] += traffic[name] - (isReset ? 0 : last[name]);
    }
    this.#seen.set(String(worker), now);
  }

  /** Workers that ended keep what they are owed, but are not remembered. */
  keepWorkers(workers: number[]): void {
    for (const worker of this.#seen.keys()) if (!workers.includes(Number(worker))) this.#seen.delete(worker);
  }

  /** A copy of what is owed for a listener; nothing is settled by reading. */
  owed(listener: string): Traffic {
    return { ...(this.#unreported[listener] ?? noTraffic()) };
  }

  /** The report arrived: takes off what it said, and forgets listeners that are no more. */
  settle(reported: Record<string, Traffic>, configured: Set<string>): void {
    const left: Record<string, Traffic> = {};
    for (const listener of configured) {
      const owed = this.owed(listener);
      for (const name of trafficNames) owed[name] -= reported[listener]?.[name] ?? 0;
      left[listener] = owed;
    }
    this.#unreported = left;
  }

  save(): SavedLedger {
    return { seen: Object.fromEntries(this.#seen), unreported: this.#unreported };
  }
}
