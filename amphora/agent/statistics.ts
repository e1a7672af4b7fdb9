// Reads HAProxy's `show stat`: what it says of listeners, pools and members, as Octavia's health daemon does. Pure.
import type { Heartbeat } from '../agent-api.ts';
import type { Outline } from './config-diff.ts';
import { accountOf, type Traffic } from './traffic-ledger.ts';

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

const column = {
  proxy: 0,
  part: 1,
  scur: 4,
  slim: 6,
  stot: 7,
  bin: 8,
  bout: 9,
  ereq: 12,
  econ: 13,
  eresp: 14,
  status: 17,
  weight: 18,
};
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
        // Only listeners have request errors; of a member it is requests that it took no connection or gave no answer for.
        ereq: cells[column.part] === 'FRONTEND' ? number(column.ereq) : number(column.econ) + number(column.eresp),
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

/** Open connections by account, where there are any: a member's over all listeners that use its pool. */
export function openConnections(rows: StatRow[]): Map<string, number> {
  const open = new Map<string, number>();
  for (const row of rows) {
    const account = row.connections > 0 ? accountOf(row) : undefined;
    if (account !== undefined) open.set(account, (open.get(account) ?? 0) + row.connections);
  }
  return open;
}
