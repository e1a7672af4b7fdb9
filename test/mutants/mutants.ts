// The product with one thing broken, each in a way that the random histories have to notice.
export interface Mutant {
  /** What is gone. */
  name: string;
  file: string;
  /** Once in the file. */
  from: string;
  to: string;
  /** Within so many histories. */
  histories: number;
}

export const mutants: Mutant[] = [
  {
    name: 'late heartbeats count like new ones',
    file: 'lambdas/health-manager/heartbeats.ts',
    from: '.filter(([sequence]) => sequence > taken)',
    to: '',
    histories: 300,
  },
  {
    name: 'statistics go back with an agent that lost its account',
    file: 'lambdas/health-manager/digest.ts',
    from: 'value > least(name) && ',
    to: '',
    histories: 1_500,
  },
  {
    name: 'what was put aside is dropped without a look whether it was accepted',
    file: 'lambdas/repositories/intents.ts',
    from: 'if ((await readLoadBalancer(store.table, loadBalancerId))?.intents.includes(intent)) return;',
    to: '',
    histories: 1_000,
  },
  {
    name: 'a VIP is taken at any epoch',
    file: 'lambdas/drivers/network/vip-ownership.ts',
    from: 'if (!seen || seen.epoch < epoch) return;',
    to: 'if (seen !== null) return;',
    histories: 1_000,
  },
  {
    name: 'an execution that lost its lease raises the epoch',
    file: 'lambdas/tasks/network.ts',
    from: 'if (row.lease?.execution !== execution) throw',
    to: 'if (row.id !== id) throw',
    histories: 1_000,
  },
  {
    name: 'whoever had the VIP is not fenced',
    file: 'lambdas/drivers/network/vip-ownership.ts',
    from: 'if (taken.unfenced.length === 0) return;',
    to: 'if (taken.unfenced.length >= 0) return;',
    histories: 1_000,
  },
  {
    name: 'two executions work on one load balancer',
    file: 'lambdas/repositories/leases.ts',
    from: 'if (row.lease !== null && !isOver) {',
    to: 'if (row.lease !== null && !isOver && row.id === lease.execution) {',
    histories: 1_000,
  },
  {
    name: 'quota of what is erased is not given back',
    file: 'lambdas/repositories/erasures.ts',
    from: '    ...going.flatMap(useGone),\n    ...(quota ? [quota] : []),',
    to: '    ...going.flatMap(useGone),',
    histories: 300,
  },
  {
    name: 'a write that came in between is taken for applied',
    file: 'lambdas/repositories/commits.ts',
    from: 'if (row.generation > generation) {',
    to: 'if (row.generation > generation + 1_000_000) {',
    histories: 300,
  },
  {
    name: 'a row that was written since is settled all the same',
    file: 'lambdas/repositories/commits.ts',
    from: 'when: { exists: true, equals: { generation: child.row.generation } },',
    to: 'when: { exists: true },',
    histories: 1_000,
  },
  {
    name: 'the applied generation goes back',
    file: 'lambdas/repositories/commits.ts',
    from: 'applied_generation: Math.max(row.applied_generation, generation),',
    to: 'applied_generation: generation - 1,',
    histories: 300,
  },
  {
    name: 'what is being deleted takes writes',
    file: 'lambdas/repositories/gate.ts',
    from: "if (row.provisioning_status === 'PENDING_DELETE' || row.provisioning_status === 'DELETED') return false;",
    to: '',
    histories: 1_000,
  },
  {
    name: 'nobody looks after deadlines',
    file: 'lambdas/housekeeping/reconcile.ts',
    from: 'for (const row of expired) await reconcileLoadBalancer(services, row);',
    to: '',
    histories: 300,
  },
  {
    name: 'machines of nobody are not swept',
    file: 'lambdas/housekeeping/handler.ts',
    from: '  swept: sweepOrphans,\n',
    to: '',
    histories: 1_000,
  },
];
