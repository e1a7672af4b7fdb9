// Peers of stick tables: what an amphora of a pair is told of the other, and what a standby makes of its configuration.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { isSettled } from '../../amphora/agent/peers-state.ts';
import { hasPeers, hasRemotePeer, withoutListeners } from '../../amphora/agent/standby.ts';
import { peersOf } from '../../lambdas/controller/peers.ts';
import type { AmphoraRow } from '../../lambdas/domain/amphora.ts';
import type { LoadBalancerRow } from '../../lambdas/domain/load-balancer.ts';
import type { SessionPersistence } from '../../lambdas/domain/session-persistence.ts';
import { SqliteTable } from '../../lambdas/drivers/table/sqlite.ts';
import { renderConfiguration } from '../../lambdas/haproxy/render.ts';
import { putAmphora, setAmphora } from '../../lambdas/repositories/amphorae.ts';
import { aListener, aLoadBalancer, aMember, aPool, aTree, idOf } from '../support/builders.ts';
import { makeAuthority } from '../support/certificates.ts';
import { HaproxyDirectory } from '../support/haproxy.ts';
import { newestHaproxy } from '../support/newest-haproxy.ts';

const newest = await newestHaproxy();
/** The one that is installed, and the newest there is. */
const everyHaproxy = ['haproxy', ...('path' in newest ? [newest.path] : [])];
const directory = new HaproxyDirectory();
beforeAll(async () => {
  const authority = await makeAuthority();
  const { certificate, private_key } = await authority.issue(idOf('other', 9));
  writeFileSync(join(directory.path, 'peer.pem'), `${certificate}\n${private_key}\n`);
  writeFileSync(join(directory.path, 'peer-ca.pem'), authority.certificate);
});
afterAll(() => directory[Symbol.dispose]());

const master = { amphora_id: idOf('other', 9), place: 0, lb_network_ip: '127.0.0.9' };
const backup = { amphora_id: idOf('other', 8), place: 1, lb_network_ip: '127.0.0.8' };
const single = master;

const persisting = (type: SessionPersistence['type'], loadBalancer: Partial<LoadBalancerRow> = {}) =>
  aTree({
    loadBalancer: aLoadBalancer(loadBalancer),
    listeners: [aListener({ default_pool_id: idOf('pool') })],
    pools: [
      aPool({
        session_persistence: {
          type,
          cookie_name: type === 'APP_COOKIE' ? 'JSESSIONID' : null,
          persistence_timeout: null,
          persistence_granularity: null,
        },
      }),
    ],
    members: [aMember()],
  });

const render = (tree: ReturnType<typeof aTree>, peers: Parameters<typeof renderConfiguration>[1]['peers'] = []) =>
  renderConfiguration(tree, { amphora_id: master.amphora_id, hardStopAfterMs: 60_000, peers }).text;

describe('golden configurations', () => {
  test.for([
    ['peers-of-a-single-amphora', render(persisting('SOURCE_IP'), [single])],
    ['peers-of-a-pair', render(persisting('APP_COOKIE'), [backup, master])],
  ] as const)('%s', async ([name, text]) => {
    await expect(text).toMatchFileSnapshot(`../golden/haproxy/${name}.cfg`);
    for (const path of everyHaproxy) {
      expect(await directory.check(text, path)).toMatchObject({ isValid: true });
      expect(await directory.check(withoutListeners(text), path)).toMatchObject({ isValid: true });
    }
  });
});

test('there are no peers where no pool has a table, and none without an address of the amphora', () => {
  expect(hasPeers(render(persisting('HTTP_COOKIE'), [backup, master]))).toBe(false);
  expect(hasPeers(render(persisting('SOURCE_IP'), [backup]))).toBe(false);
  expect(hasPeers(render(persisting('SOURCE_IP')))).toBe(false);
});

test('only an amphora with another beside it stands by, and it listens for peers alone', () => {
  const text = render(persisting('SOURCE_IP'), [backup, master]);
  expect(hasRemotePeer(text)).toBe(true);
  expect(hasRemotePeer(render(persisting('SOURCE_IP'), [single]))).toBe(false);
  const binds = withoutListeners(text)
    .split('\n')
    .filter((line) => /^\s*bind /.test(line));
  expect(binds).toEqual([expect.stringContaining('bind 127.0.0.9:1025 ssl ')]);
  expect(withoutListeners(text).split('\n')).toHaveLength(text.split('\n').length);
});

test('who is made to replace an amphora is the peer in its place; nobody is a peer of who has the same place', async () => {
  const table = new SqliteTable({ path: ':memory:' });
  const store = { table, clock: { now: () => 0, sleep: async () => {} }, newId: () => 'new' };
  const put = (id: string, role: AmphoraRow['role'], lb_network_ip: string | null) =>
    putAmphora(store, { id, role, lb_network_ip, created_at: '2026-01-01' } as AmphoraRow);
  const change = (id: string, set: Partial<AmphoraRow>) => setAmphora(store, id, set);
  await put('old', 'MASTER', '127.0.0.1');
  await put('standby', 'BACKUP', '127.0.0.2');
  await put('new', 'MASTER', '127.0.0.3');
  await put('booting', 'BACKUP', null);
  const candidate = { operation_id: 'o', execution: 'e', is_spare: false };
  const failover = persisting('SOURCE_IP', {
    amphora_ids: ['old', 'standby'],
    candidates: [
      { ...candidate, role: 'MASTER', amphora_id: 'new' },
      { ...candidate, role: 'BACKUP', amphora_id: 'booting' },
    ],
  });
  const peers = await peersOf(store, failover);
  const idsFor = (id: string) => peers(id).map(({ amphora_id }) => amphora_id);
  expect(idsFor('new')).toEqual(['new', 'standby']);
  expect(idsFor('standby')).toEqual(['new', 'standby']);
  expect(idsFor('old')).toEqual(['old', 'standby']);
  // The standby was promoted: roles are swapped, and places are what they were.
  await change('old', { role: 'BACKUP' });
  await change('standby', { role: 'MASTER' });
  const later = await peersOf(store, failover);
  expect(later('new')).toEqual(peers('new'));
  await table.close();
});

test('reads of HAProxy whether sessions would be handed over', () => {
  const section = (flags: string) =>
    `0x1: [date] id=abc disabled=0 flags=${flags} resync_timeout=3s task_calls=5\n  0x2: id=p(local,inactive) flags=0x0\n`;
  expect([section('0x0'), section('0x11'), section('0x6833'), section('0x1103')].map(isSettled)).toEqual([
    false,
    false,
    true,
    true,
  ]);
  expect(isSettled('')).toBe(true);
});
