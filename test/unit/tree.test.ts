// The questions asked of a load balancer's tree: what is shown as statuses, and what amphorae are to have.
import { describe, expect, it } from 'vitest';
import { statusTree } from '../../lambdas/domain/status-tree.ts';
import { desiredTree } from '../../lambdas/domain/tree.ts';
import {
  aL7Policy,
  aL7Rule,
  aListener,
  aLoadBalancer,
  aMember,
  aMonitor,
  aPool,
  aTree,
  idOf,
} from '../support/builders.ts';

describe('the status tree', () => {
  const statuses = { operating_status: 'ONLINE', provisioning_status: 'ACTIVE' };

  it('shows listeners, their pools, monitors and members', () => {
    const tree = aTree({
      loadBalancer: aLoadBalancer({ name: 'lb' }),
      listeners: [aListener({ name: 'l', default_pool_id: idOf('pool') })],
      pools: [aPool({ name: 'p' })],
      healthMonitors: [aMonitor({ name: 'm' })],
      members: [aMember({ name: 'one' })],
    });
    const health_monitor = { id: idOf('monitor'), name: 'm', type: 'TCP', ...statuses };
    const member = { id: idOf('member'), name: 'one', address: '192.0.2.1', protocol_port: 8080, ...statuses };
    const pool = { id: idOf('pool'), name: 'p', ...statuses, health_monitor, members: [member] };
    const listener = { id: idOf('listener'), name: 'l', ...statuses, pools: [pool] };
    expect(statusTree(tree)).toEqual({
      loadbalancer: { id: idOf('lb'), name: 'lb', ...statuses, listeners: [listener] },
    });
  });

  it('shows no pool that no listener sends to, and no monitor where there is none', () => {
    const listeners = [aListener({ default_pool_id: idOf('pool') })];
    const pools = [aPool(), aPool({ id: idOf('pool', 2) })];
    const [shown] = statusTree(aTree({ listeners, pools })).loadbalancer.listeners;
    expect(shown!.pools.map(({ id }) => id)).toEqual([idOf('pool')]);
    expect(shown!.pools[0]).not.toHaveProperty('health_monitor');
  });
});

describe('the desired tree', () => {
  it('has no row that is PENDING_DELETE', () => {
    const members = [aMember({ provisioning_status: 'PENDING_DELETE' }), aMember({ id: idOf('member', 2) })];
    expect(desiredTree(aTree({ members })).members.map(({ id }) => id)).toEqual([idOf('member', 2)]);
  });

  it('leaves a new policy out when one of its rules cannot be told, since the others alone would match more', () => {
    const whole = idOf('other', 20);
    const before = idOf('other', 30);
    const isNew = { provisioning_status: 'PENDING_CREATE' } as const;
    const l7Policies = [aL7Policy(isNew), aL7Policy({ id: whole, ...isNew }), aL7Policy({ id: before })];
    const error = { provisioning_status: 'ERROR' } as const;
    const l7Rules = [
      aL7Rule({ id: idOf('other', 21) }),
      aL7Rule({ id: idOf('other', 22), ...error }),
      aL7Rule({ id: idOf('other', 23), l7policy_id: whole }),
      aL7Rule({ id: idOf('other', 24), l7policy_id: whole, ...error, admin_state_up: false }),
    ];
    l7Rules.push(aL7Rule({ id: idOf('other', 31), l7policy_id: before, ...error }));
    expect(desiredTree(aTree({ l7Policies, l7Rules })).l7Policies.map(({ id }) => id)).toEqual([whole, before]);
  });

  it('has a refused change as it was before, and no row that was never in force', () => {
    const error = { provisioning_status: 'ERROR', weight: 9 } as const;
    const members = [
      aMember({ ...error, last_good: { weight: 2 } }),
      aMember({ ...error, id: idOf('member', 2) }),
      aMember({ ...error, id: idOf('member', 3), last_good: {} }),
    ];
    const desired = desiredTree(aTree({ members })).members.map(({ id, weight }) => [id, weight]);
    expect(desired).toEqual([
      [idOf('member'), 2],
      [idOf('member', 3), 9],
    ]);
  });
});
