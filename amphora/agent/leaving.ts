// An amphora that is well and gives its VIP up to another one: it takes no new connection, and ends those it has.
import type { VipLeft } from '../agent-api.ts';
import { ceaseToServe, type Target } from './apply.ts';
import type { ConfigurationStore, Vip } from './configuration.ts';
import type { VirtualServers } from './lvs/virtual-servers.ts';
import { Outdated } from './refused-verbs.ts';

/** What comes late has no effect. @throws Outdated */
export function refuseOlder({ vip: known }: ConfigurationStore, vip: Vip): void {
  if (known?.load_balancer_id !== vip.load_balancer_id) return;
  // An epoch is raised for one amphora alone: heard when it left, it was another one's.
  const isOlder = known.has_left && !vip.has_left ? vip.epoch <= known.epoch : vip.epoch < known.epoch;
  if (isOlder) throw new Outdated('stale');
}

/** @throws Outdated */
export async function leaveVip(
  store: ConfigurationStore,
  target: Target | null,
  virtualServers: VirtualServers,
  vip: Vip,
): Promise<VipLeft> {
  const left_at = store.hasLeft(vip.load_balancer_id) ? (store.vip?.left_at ?? Date.now()) : Date.now();
  const left = { ...vip, has_left: true, left_at };
  refuseOlder(store, left);
  const isServing = store.holdsVip(vip.load_balancer_id);
  // Written down first: an agent that is killed in between goes on leaving.
  store.setVip(left);
  const isRunning = target !== null && (await target.haproxy.isRunning());
  if (isServing) {
    await virtualServers.stop();
    if (isRunning && store.current !== null) await ceaseToServe(target, store.current);
  }
  if (!isRunning || !(await target.haproxy.isRunning())) return { processes: 0, since_ms: Date.now() - left_at };
  const { oldWorkers } = await target.haproxy.runtime.showProcesses();
  return { processes: oldWorkers.length, since_ms: Date.now() - left_at };
}
