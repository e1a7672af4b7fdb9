// Sessions of a pair: the amphora that takes another's place knows who belongs where.
import { existsSync } from 'node:fs';
import { connect } from 'node:tls';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { RuntimeApi } from '../../amphora/agent/runtime-api.ts';
import { ask } from '../support/asking.ts';
import { eventually, report } from '../support/eventually.ts';
import { LocalService } from '../support/local-service.ts';
import type { Attributes } from '../support/octavia-client.ts';
import { processesOf, sendSignal } from '../support/processes.ts';
import { SessionMember } from '../support/session-member.ts';
import { beginSessions, membersByAddress, membersByCookie } from '../support/sticky-clients.ts';
import { createWeb, listenerPort, type WebLoadBalancer } from '../support/web-load-balancer.ts';

let service: LocalService;
let web: WebLoadBalancer;
const members: SessionMember[] = [];
beforeAll(async () => {
  service = await LocalService.start({ args: ['--topology', 'ACTIVE_STANDBY'] });
  for (const name of ['one', 'two', 'three']) members.push(await SessionMember.start(name));
  web = await createWeb(service, members);
});
afterAll(async () => {
  await service[Symbol.asyncDispose]();
  for (const one of members) one[Symbol.dispose]();
});

const persist = async (session_persistence: Attributes) => {
  await service.api.update('pools', web.poolId, { session_persistence });
  await service.api.active(web.id);
};
const directoryOf = (amphora: string) => `${service.state}/amphorae/${amphora}`;
/** Far more than it takes on a machine that is not busy, and less than HAProxy takes to call a peer again. */
const lagMs = 1_000;
const holdsVip = (amphora: string) => existsSync(`${directoryOf(amphora)}/run/vip.json`);

/** The pair by who has the VIP, both there and settled. */
const pair = () =>
  eventually('there is a pair, of which one has the VIP', async () => {
    const ids = service.amphoraeWith(web.id);
    const [serving, ...others] = ids.filter(holdsVip);
    const standby = ids.find((id) => !holdsVip(id));
    return ids.length === 2 && serving && others.length === 0 && standby ? { serving, standby } : undefined;
  });

/** What a client was told last is with the standby some milliseconds later; a kill that comes in between is one client's loss. */
async function isTold(standby: string, sessions: number): Promise<void> {
  const haproxy = processesOf(directoryOf(standby)).find(({ kind }) => kind === 'haproxy')!;
  const runtime = new RuntimeApi(`/proc/${haproxy.pid}/cwd/master.sock`);
  const since = performance.now();
  await eventually(
    'the standby knows who belongs where',
    async () => {
      const { worker } = await runtime.showProcesses();
      const entries = await runtime.ask(worker!, `show table ${web.poolId}:${web.listenerId}`);
      return entries.split(' key=').length > sessions;
    },
    lagMs,
  );
  report('last answer -> known to the standby', performance.now() - since);
}

async function kill(amphora: string): Promise<void> {
  for (const { pid } of processesOf(directoryOf(amphora))) sendSignal(pid, 'SIGKILL');
  const since = performance.now();
  await eventually('the VIP serves', () => ask({ address: web.vip, port: listenerPort }));
  report('one of a pair killed -> served', performance.now() - since);
  await eventually('the killed one is gone', () => !existsSync(directoryOf(amphora)));
  await service.api.active(web.id);
  report('one of a pair killed -> served and ACTIVE', performance.now() - since);
}

test('SOURCE_IP: clients stay with their members when the amphora that serves is killed, twice over', async () => {
  await persist({ type: 'SOURCE_IP' });
  const met = await membersByAddress(web);
  expect(new Set(Object.values(met)).size).toBe(3);
  for (let round = 0; round < 2; round += 1) {
    const { serving, standby } = await pair();
    await isTold(standby, Object.keys(met).length);
    await kill(serving);
    const now = await pair();
    expect(now.serving).toBe(standby);
    expect(now.standby).not.toBe(serving);
    expect(await membersByAddress(web)).toEqual(met);
  }
});

test('SOURCE_IP: clients stay with their members when a failover is asked for', async () => {
  const met = await membersByAddress(web);
  const before = service.amphoraeWith(web.id);
  await isTold((await pair()).standby, Object.keys(met).length);
  await service.api.failover(web.id);
  await service.api.active(web.id);
  expect(service.amphoraeWith(web.id).filter((id) => before.includes(id))).toEqual([]);
  expect(await membersByAddress(web)).toEqual(met);
});

test('APP_COOKIE: sessions go on when first the standby is killed and then the amphora that serves', async () => {
  await persist({ type: 'APP_COOKIE', cookie_name: 'JSESSIONID' });
  const sessions = await beginSessions(web, 12);
  expect(new Set(Object.values(sessions)).size).toBe(3);
  await kill((await pair()).standby);
  await isTold((await pair()).standby, Object.keys(sessions).length);
  expect(await membersByCookie(web, Object.keys(sessions))).toEqual(sessions);
  await kill((await pair()).serving);
  expect(await membersByCookie(web, Object.keys(sessions))).toEqual(sessions);
});

test('HTTP_COOKIE: a cookie means the same member to the amphora that takes over', async () => {
  await persist({ type: 'HTTP_COOKIE' });
  const { cookie, text } = await ask({ address: web.vip, port: listenerPort });
  await kill((await pair()).serving);
  for (let count = 0; count < 6; count += 1) {
    const answer = await ask({ address: web.vip, port: listenerPort, headers: { cookie: cookie! } });
    expect(answer.text).toBe(text);
  }
});

test('nobody without a certificate of the deployment is told who belongs where', async () => {
  await persist({ type: 'SOURCE_IP' });
  const { serving } = await pair();
  const text = service.configuration({ directory: directoryOf(serving), id: serving, agent: 0, haproxy: 0 }, web.id);
  const [, host, port] = /^peers .*\n\s+bind (\S+):(\d+) ssl /m.exec(text)!;
  const said = await new Promise<string>((resolve) => {
    const socket = connect({ host: host!, port: Number(port), rejectUnauthorized: false }, () =>
      socket.write('HAProxyS 2.1\n'),
    );
    socket.on('data', (data) => resolve(`answered ${data}`));
    socket.on('error', (error) => resolve(error.message));
    socket.on('close', () => resolve('closed'));
  });
  expect(said).toMatch(/certificate required/i);
});
