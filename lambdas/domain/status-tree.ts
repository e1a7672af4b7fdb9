// The statuses of a load balancer and all below its listeners, as one tree.
import { poolsOf, type Tree } from './tree.ts';

interface WithStatuses {
  id: string;
  provisioning_status: string;
  operating_status: string;
}

const statuses = (row: WithStatuses) => ({
  id: row.id,
  operating_status: row.operating_status,
  provisioning_status: row.provisioning_status,
});

/** Pools that no listener sends to do not appear. */
export function statusTree(tree: Tree) {
  const members = Map.groupBy(tree.members, (row) => row.pool_id);
  const monitors = new Map(tree.healthMonitors.map((row) => [row.pool_id, row]));
  const listeners = tree.listeners.map((listener) => ({
    ...statuses(listener),
    name: listener.name,
    pools: poolsOf(tree, listener).map((pool) => {
      const monitor = monitors.get(pool.id);
      return {
        ...statuses(pool),
        name: pool.name,
        ...(monitor ? { health_monitor: { ...statuses(monitor), name: monitor.name, type: monitor.type } } : {}),
        members: (members.get(pool.id) ?? []).map((member) => ({
          ...statuses(member),
          name: member.name,
          address: member.address,
          protocol_port: member.protocol_port,
        })),
      };
    }),
  }));
  return { loadbalancer: { ...statuses(tree.loadBalancer), name: tree.loadBalancer.name, listeners } };
}
