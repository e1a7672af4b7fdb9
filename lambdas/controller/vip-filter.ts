// Who may reach a VIP, told to a network that filters packets itself: HAProxy keeps out whom a listener does not allow, but nobody comes
// as far as HAProxy by a port that the network keeps shut.
import { vipRules } from '../domain/vip-rules.ts';
import type { TableChange } from '../drivers/table/stream.ts';
import { kindPrefixes, partitionOf } from '../repositories/keys.ts';
import { readLoadBalancer, readSkeleton } from '../repositories/trees.ts';
import type { Config } from '../runtime/config.ts';
import type { Services } from '../runtime/services.ts';
import { requestFilter } from './requests.ts';

/** Elsewhere packets of every port come to the amphora. */
const filters = ({ network_driver }: Config): boolean => network_driver === 'vpc';

/** Opens what listeners want and shuts everything else; again when somebody wrote meanwhile, who may have been told before us. */
export async function filterVip(services: Services, loadBalancerId: string): Promise<void> {
  if (!filters(services.config)) return;
  for (;;) {
    const tree = await readSkeleton(services.table, loadBalancerId);
    if (tree === undefined || tree.loadBalancer.provisioning_status === 'PENDING_DELETE') return;
    const { loadBalancer, listeners } = tree;
    await services.network.allow(loadBalancerId, loadBalancer, vipRules(loadBalancer, listeners));
    const after = await readLoadBalancer(services.table, loadBalancerId);
    if (after === undefined || after.generation === loadBalancer.generation) return;
  }
}

const treePrefix = partitionOf('');
const listenerAttributes = ['protocol', 'protocol_port', 'allowed_cidrs', 'admin_state_up'];

/** What of a row has to do with it; the same text, the same filter. */
function sayOf(row: TableChange['after'], attributes: string[]): string {
  const isGoing = row === undefined || row['provisioning_status'] === 'PENDING_DELETE';
  return isGoing ? '' : JSON.stringify(attributes.map((name) => row[name]));
}

function changesFilter({ key, before, after }: TableChange): boolean {
  if (!key.pk.startsWith(treePrefix)) return false;
  if (key.sk.startsWith(kindPrefixes.listener))
    return sayOf(before, listenerAttributes) !== sayOf(after, listenerAttributes);
  // A new load balancer's VIP is filtered when it is plugged.
  return (
    key.sk === 'LB' && before !== undefined && after !== undefined && sayOf(before, groups) !== sayOf(after, groups)
  );
}

const groups = ['vip_sg_ids'];

/** By the table's stream, as statuses are told of: no writer can forget it or die before it. */
export async function requestFilters(services: Services, changes: TableChange[]): Promise<void> {
  if (!filters(services.config)) return;
  const asked = new Map(changes.filter(changesFilter).map(({ key, id }) => [key.pk.slice(treePrefix.length), id]));
  for (const [loadBalancerId, sign] of asked) await requestFilter(services, loadBalancerId, sign);
}
