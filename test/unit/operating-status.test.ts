// The roll-up from what an amphora reports to operating statuses, by Octavia's health manager.
import { describe, expect, it } from 'vitest';
import { memberStatus, operatingStatusChanges, type Report } from '../../lambdas/domain/operating-status.ts';
import type { OperatingStatus } from '../../lambdas/domain/statuses.ts';
import type { Tree } from '../../lambdas/domain/tree.ts';
import { aListener, aLoadBalancer, aMember, aPool, aTree, idOf } from '../support/builders.ts';

const tree = (given: Partial<Tree> = {}): Tree =>
  aTree({
    listeners: [aListener({ default_pool_id: idOf('pool') })],
    pools: [aPool()],
    members: [aMember(), aMember({ id: idOf('member', 2), address: '192.0.2.2' })],
    ...given,
  });

const report = (
  words: string[],
  given: { pool?: string; listener?: string; generation?: number | null } = {},
): Report => ({
  generation: given.generation === undefined ? 1 : given.generation,
  listeners: { [idOf('listener')]: { status: given.listener ?? 'OPEN' } },
  pools: {
    [`${idOf('pool')}:${idOf('listener')}`]: {
      status: given.pool ?? 'UP',
      members: Object.fromEntries(words.map((word, index) => [idOf('member', index + 1), word])),
    },
  },
});
const nothing: Report = { generation: 1, listeners: {}, pools: {} };

/** Changes as `<kind> <to>`. */
const changes = (of: Tree, reported: Report): string[] =>
  operatingStatusChanges(of, reported).map(({ kind, to }) => `${kind} ${to}`);

describe('a member', () => {
  it.each<[string | undefined, OperatingStatus, OperatingStatus | undefined]>([
    ['UP', 'OFFLINE', 'ONLINE'],
    ['UP 1/3', 'ERROR', 'ONLINE'],
    ['DOWN', 'ONLINE', 'ERROR'],
    ['DOWN 2/3', 'ONLINE', 'ERROR'],
    ['DRAIN', 'ONLINE', 'DRAINING'],
    ['MAINT', 'ONLINE', 'OFFLINE'],
    ['no check', 'ONLINE', 'NO_MONITOR'],
    ['RESTARTING', 'ONLINE', undefined],
    [undefined, 'ONLINE', 'OFFLINE'],
    [undefined, 'NO_MONITOR', 'NO_MONITOR'],
  ])('that is reported %s and was %s is %s', (word, before, after) => {
    expect(memberStatus(word, before)).toBe(after);
  });
});

describe('a report', () => {
  it('that says what is known changes nothing', () => {
    expect(changes(tree(), report(['UP', 'UP']))).toEqual([]);
  });

  it('of a member DOWN makes pool and load balancer DEGRADED', () => {
    const expected = ['member ERROR', 'pool DEGRADED', 'loadbalancer DEGRADED'];
    expect(changes(tree(), report(['UP', 'DOWN']))).toEqual(expected);
  });

  it('of a pool DOWN makes pool and load balancer ERROR, which DEGRADED does not override', () => {
    const down = report(['DOWN', 'DOWN'], { pool: 'DOWN', listener: 'FULL' });
    const expected = ['listener DEGRADED', 'member ERROR', 'member ERROR', 'pool ERROR', 'loadbalancer ERROR'];
    expect(changes(tree(), down)).toEqual(expected);
  });

  it('of a listener FULL makes it and the load balancer DEGRADED', () => {
    const full = report(['UP', 'UP'], { listener: 'FULL' });
    expect(changes(tree(), full)).toEqual(['listener DEGRADED', 'loadbalancer DEGRADED']);
  });

  it('without an enabled listener puts it in ERROR, and its pool and members OFFLINE', () => {
    const expected = ['listener ERROR', 'member OFFLINE', 'member OFFLINE', 'pool OFFLINE'];
    expect(changes(tree(), nothing)).toEqual(expected);
  });

  it('without a disabled listener puts it OFFLINE', () => {
    const disabled = tree({ listeners: [aListener({ admin_state_up: false })], pools: [], members: [] });
    expect(changes(disabled, nothing)).toEqual(['listener OFFLINE']);
  });

  it('of a disabled load balancer puts it OFFLINE', () => {
    const disabled = aTree({ loadBalancer: aLoadBalancer({ admin_state_up: false }) });
    expect(changes(disabled, nothing)).toEqual(['loadbalancer OFFLINE']);
  });

  it('of an older configuration says nothing about what was written since', () => {
    const pending = { provisioning_status: 'PENDING_CREATE', operating_status: 'NO_MONITOR', generation: 7 } as const;
    const newer = tree({
      listeners: [aListener({ default_pool_id: idOf('pool') }), aListener({ ...pending, id: idOf('listener', 2) })],
      members: [aMember(), aMember({ ...pending, id: idOf('member', 2) })],
    });
    expect(changes(newer, report(['UP']))).toEqual([]);
  });

  it('of one pool by two listeners counts the first', () => {
    const pools = report(['UP', 'UP']).pools;
    const second = { [`${idOf('pool')}:${idOf('listener', 2)}`]: { status: 'DOWN', members: {} } };
    expect(changes(tree(), { ...report([]), pools: { ...pools, ...second } })).toEqual([]);
  });
});
