// What the kernel's table means for listeners, pools and members, in the words HAProxy has for it: the LVS half of Octavia's health
// daemon. Pure.
import type { ListenerStates, Pools, StatRow } from '../statistics.ts';
import type { LvsListener, LvsMember } from './documents.ts';
import { isAt, type KernelMember, type KernelService, type ServiceTraffic } from './kernel-table.ts';

type Pool = NonNullable<LvsListener['pool']>;

/** Of listeners that are served: whose virtual services are all in the kernel, or that have no members to send to. */
export function lvsStates(
  listeners: LvsListener[],
  services: KernelService[],
): { listeners: ListenerStates; pools: Pools } {
  const states: ListenerStates = {};
  const pools: Pools = {};
  for (const listener of listeners) {
    const own = ownOf(listener, services);
    if (own.length < listener.places.length) continue;
    const members = own.flatMap((service) => service.members);
    const conns = members.reduce((sum, { connections }) => sum + connections, 0);
    states[listener.id] = { status: 'OPEN', conns };
    if (listener.pool) pools[`${listener.pool.id}:${listener.id}`] = poolState(listener.pool, members);
  }
  return { listeners: states, pools };
}

const ownOf = <S extends { protocol: string; address: string; port: number }>(
  { protocol, places }: LvsListener,
  services: S[],
): S[] => services.filter((one) => one.protocol === protocol && places.some((place) => isAt(place, one)));

function poolState(pool: Pool, inKernel: KernelMember[]): Pools[string] {
  const members = Object.fromEntries(pool.members.map((member) => [member.id, memberState(pool, member, inKernel)]));
  const words = Object.values(members);
  const isUp = !words.includes('DOWN') || words.some((state) => state === 'UP') || hasBackup(pool, inKernel);
  return { status: isUp ? 'UP' : 'DOWN', members };
}

const hasBackup = (pool: Pool, inKernel: KernelMember[]): boolean =>
  pool.members.some((member) => member.role === 'backup' && inKernel.some((one) => isAt(one, member)));

/** keepalived takes out of the kernel what its checks find down. */
function memberState({ isMonitored }: Pool, member: LvsMember, inKernel: KernelMember[]): string {
  if (member.role === 'disabled') return 'MAINT';
  const found = inKernel.filter((one) => isAt(one, member));
  if (found.length > 0 && found.every(({ weight }) => weight === 0)) return 'DRAIN';
  // keepalived does not check its sorry server; its being away says that others are there.
  if (!isMonitored || member.role === 'backup') return 'no check';
  return found.length > 0 ? 'UP' : 'DOWN';
}

/** As HAProxy's statistics would have it, so that one account is kept of both. */
export function trafficRows(listeners: LvsListener[], services: ServiceTraffic[]): StatRow[] {
  return listeners.map((listener) => {
    const own = ownOf(listener, services);
    const sum = (of: (service: ServiceTraffic) => number) => own.reduce((total, service) => total + of(service), 0);
    return {
      proxy: listener.id,
      part: 'FRONTEND',
      status: 'OPEN',
      weight: 0,
      connections: 0,
      connectionLimit: 0,
      traffic: {
        tx: sum(({ bytesOut }) => bytesOut),
        rx: sum(({ bytesIn }) => bytesIn),
        totconns: sum(({ connections }) => connections),
        ereq: 0,
      },
    };
  });
}
