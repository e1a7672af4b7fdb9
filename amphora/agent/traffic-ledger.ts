// Keeps account of what listeners and members have counted since this amphora began, over workers and agents that come and
// go: the statistics half of Octavia's health daemon. Pure.
import type { ListenerStatistics } from '../agent-api.ts';
import type { Outline } from './config-diff.ts';
import { isInternal } from './config-diff.ts';
import type { StatRow } from './statistics.ts';

export type Traffic = Pick<ListenerStatistics, 'tx' | 'rx' | 'totconns' | 'ereq'>;

const trafficNames = ['tx', 'rx', 'totconns', 'ereq'] as const;
/** In the order of `trafficNames`: thousands of members are written out at every heartbeat that has news. */
type SavedTraffic = [number, number, number, number];

export interface SavedLedger {
  /** What the counters of each row of each worker stood at. */
  workers: Record<string, Record<string, SavedTraffic>>;
  totals: Record<string, SavedTraffic>;
}

/** Members and listeners that are not configured for a while, because their pool is disabled for one, are kept up to so many. */
const keptAwayLimit = 5_000;

/** Of a listener its id, of a member `<pool>/<member>` whichever listener uses the pool; undefined for what nobody asks for. */
export function accountOf({ proxy, part }: Pick<StatRow, 'proxy' | 'part'>): string | undefined {
  if (part === 'FRONTEND') return isInternal(proxy) ? undefined : proxy;
  const colon = proxy.indexOf(':');
  return part === 'BACKEND' || colon === -1 ? undefined : `${proxy.slice(0, colon)}/${part}`;
}

export interface Accounts {
  listeners: Set<string>;
  pools: Set<string>;
  members: Set<string>;
}

/** The accounts that a configuration has. */
export function accountsIn({ frontends, backends, members }: Outline): Accounts {
  const ofMembers = [...members.values()].map(({ backend, name }) => accountOf({ proxy: backend, part: name }));
  return {
    listeners: frontends,
    pools: new Set([...backends].map((name) => name.split(':')[0]!)),
    members: new Set(ofMembers.filter((account) => account !== undefined)),
  };
}

const noTraffic = (): Traffic => ({ tx: 0, rx: 0, totconns: 0, ereq: 0 });
const isSame = (a: Traffic, b: Traffic) => trafficNames.every((name) => a[name] === b[name]);

/** Counters of HAProxy only grow while a row lives, and a row lives no longer than its worker: totals add up what each row added. */
export class TrafficLedger {
  readonly #seen: Map<string, Map<string, Traffic>>;
  readonly #totals: Map<string, Traffic>;

  constructor(saved: SavedLedger = { workers: {}, totals: {} }) {
    this.#seen = new Map(Object.entries(saved.workers).map(([worker, rows]) => [worker, loaded(rows)]));
    this.#totals = loaded(saved.totals);
  }

  see(worker: number, rows: StatRow[]): void {
    const seen = this.#seen.get(String(worker)) ?? new Map<string, Traffic>();
    this.#seen.set(String(worker), seen);
    for (const row of rows) {
      const account = accountOf(row);
      if (account === undefined) continue;
      const key = `${row.proxy}/${row.part}`;
      const last = seen.get(key) ?? noTraffic();
      if (isSame(last, row.traffic)) continue;
      this.#add(account, row.traffic, last);
      seen.set(key, row.traffic);
    }
  }

  #add(account: string, now: Traffic, last: Traffic): void {
    // Smaller than before is another process that got the same pid.
    const isReset = trafficNames.some((name) => now[name] < last[name]);
    const total = this.#totals.get(account) ?? noTraffic();
    for (const name of trafficNames) total[name] += now[name] - (isReset ? 0 : last[name]);
    this.#totals.set(account, total);
  }

  /** HAProxy deleted this server, `<backend>/<name>`: one of the same name would count from zero. */
  forgetServer(worker: number, key: string): void {
    this.#seen.get(String(worker))?.delete(key);
  }

  /** Workers that ended count no more, and their pids may come again. */
  keepWorkers(workers: number[]): void {
    for (const worker of this.#seen.keys()) if (!workers.includes(Number(worker))) this.#seen.delete(worker);
  }

  /** Since this amphora began. */
  total(account: string): Traffic {
    return { ...(this.#totals.get(account) ?? noTraffic()) };
  }

  /** Of members that have counted anything. */
  memberAccounts(): string[] {
    return [...this.#totals.keys()].filter((account) => account.includes('/'));
  }

  /**
   * Forgets members that were deleted: their pool is configured and they are not. Whoever is away with its pool or listener may
   * come back, and its totals must not begin anew then.
   */
  keepAccounts({ listeners, pools, members }: Accounts): void {
    const absent = [...this.#totals.keys()].filter((account) => !listeners.has(account) && !members.has(account));
    if (absent.length === 0) return;
    const stillCounting = this.#accountsSeen();
    const deleted = absent.filter((account) => account.includes('/') && pools.has(account.split('/')[0]!));
    for (const account of deleted) if (!stillCounting.has(account)) this.#totals.delete(account);
    const away = absent.filter((account) => this.#totals.has(account) && !stillCounting.has(account));
    for (const account of away.slice(0, Math.max(0, away.length - keptAwayLimit))) this.#totals.delete(account);
  }

  #accountsSeen(): Set<string | undefined> {
    const keys = [...this.#seen.values()].flatMap((rows) => [...rows.keys()]);
    return new Set(
      keys.map((key) => {
        const slash = key.indexOf('/');
        return accountOf({ proxy: key.slice(0, slash), part: key.slice(slash + 1) });
      }),
    );
  }

  save(): SavedLedger {
    const workers = [...this.#seen].map(([worker, rows]) => [worker, saved(rows)] as const);
    return { workers: Object.fromEntries(workers), totals: saved(this.#totals) };
  }
}

const saved = (all: Map<string, Traffic>): Record<string, SavedTraffic> =>
  Object.fromEntries(
    [...all].map(([key, traffic]) => [key, trafficNames.map((name) => traffic[name]) as SavedTraffic]),
  );

const loaded = (all: Record<string, SavedTraffic>): Map<string, Traffic> =>
  new Map(Object.entries(all).map(([key, [tx, rx, totconns, ereq]]) => [key, { tx, rx, totconns, ereq }]));
