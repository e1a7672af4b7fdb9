import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { createServer } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { AgentInfo } from '../../amphora/agent-api.ts';
import { DriverError, NotReady, Superseded } from '../../lambdas/domain/errors.ts';
import {
  type AmphoraDriver,
  ConfigurationRefused,
  StaleConfiguration,
} from '../../lambdas/drivers/amphora/amphora-driver.ts';
import { HttpsAmphoraDriver } from '../../lambdas/drivers/amphora/https.ts';
import { NoopAmphoraDriver } from '../../lambdas/drivers/amphora/noop.ts';
import { clientName } from '../../lambdas/drivers/certificates/certificate-authority.ts';
import { LocalCertificateAuthority } from '../../lambdas/drivers/certificates/local-authority.ts';
import { SqliteTable } from '../../lambdas/drivers/table/sqlite.ts';
import { until } from '../support/agent-process.ts';
import { type AmphoraDouble, startAmphoraDouble } from '../support/amphora-double.ts';
import { authority, bootOf, TestHost } from '../support/process-amphorae.ts';

const clock = { now: () => Date.now() };
const lb = randomUUID();
const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
const text = (comment = '') => `${comment}defaults\n  timeout connect 1s\n  timeout client 1s\n  timeout server 1s\n`;

interface Setting {
  driver: AmphoraDriver;
  amphora: { id: string; lb_network_ip: string };
  end(): Promise<void>;
}

const implementations: Record<string, () => Promise<Setting>> = {
  noop: async () => {
    const amphora = { id: randomUUID(), lb_network_ip: '192.0.2.1' };
    return { driver: new NoopAmphoraDriver(), amphora, end: async () => {} };
  },
  'https, to the agent': async () => {
    const host = new TestHost();
    const compute = host.service();
    const { compute_id, amphora_id: id } = await compute.build(await bootOf());
    const running = await until('the agent answers', async () => {
      const found = await compute.get(compute_id);
      return found.state === 'RUNNING' ? found : null;
    });
    const driver = new HttpsAmphoraDriver({ authority, clock });
    return { driver, amphora: { id, lb_network_ip: running.lb_network_ip! }, end: () => host.close() };
  },
};

describe.each(Object.entries(implementations))('amphora driver: %s', (_name, make) => {
  let driver: AmphoraDriver;
  let amphora: Setting['amphora'];
  let end: Setting['end'];

  beforeEach(async () => {
    ({ driver, amphora, end } = await make());
  });
  afterEach(async () => {
    await driver.close();
    await end();
  });

  const push = (generation: number, configuration: string) =>
    driver.pushConfiguration(amphora, { load_balancer_id: lb, generation, text: configuration });

  it('tells whose agent it is and what it holds', async () => {
    const empty = { amphora_id: amphora.id, api_version: '1.0', generation: null, digest: null };
    expect(await driver.getInfo(amphora)).toMatchObject(empty);
    await push(3, text());
    expect(await driver.getInfo(amphora)).toMatchObject({ generation: 3, digest: sha256(text()) });
  });

  it('pushes the same configuration twice, and never an older one over a newer', async () => {
    expect(await push(3, text())).toMatchObject({ generation: 3, digest: sha256(text()) });
    expect(await push(3, text())).toMatchObject({ generation: 3, digest: sha256(text()) });
    await expect(push(2, text('# older\n'))).rejects.toThrow(StaleConfiguration);
    expect(await driver.getInfo(amphora)).toMatchObject({ generation: 3, digest: sha256(text()) });
  });

  it('pushes a configuration with the files it names, another with some of them, and one without', async () => {
    const named = (file: string, contents: string) => `# file ${lb}.${file} ${sha256(contents)}\n`;
    const files = ['one', 'two'].map((contents) => ({ digest: sha256(contents), contents }));
    const both = named('ca', 'one') + named('crl', 'two') + text();
    const one = named('ca', 'one') + text();
    for (const [generation, text] of [
      [1, both],
      [2, one],
      [3, both],
    ] as const) {
      const configuration = { load_balancer_id: lb, generation, text, files };
      expect(await driver.pushConfiguration(amphora, configuration)).toMatchObject({
        generation,
        digest: sha256(text),
      });
    }
    expect(await push(4, text())).toMatchObject({ generation: 4 });
  });

  it('plugs the VIP, twice too', async () => {
    await driver.postVipPlug(amphora, lb, '127.0.0.1', 1);
    await driver.postVipPlug(amphora, lb, '127.0.0.1', 1);
  });

  it('leaves the VIP, twice too', async () => {
    await driver.postVipPlug(amphora, lb, '127.0.0.1', 1);
    expect(await driver.leaveVip(amphora, lb, '127.0.0.1', 2)).toMatchObject({ processes: 0 });
    expect(await driver.leaveVip(amphora, lb, '127.0.0.1', 2)).toMatchObject({ processes: 0 });
  });

  it('takes an archive that is gone for one that was shipped', async () => {
    const right = { url: 'http://127.0.0.1:1/', headers: {}, expires_at: 0 };
    await driver.grantArchive(amphora, `admin-${amphora.id}-20260301T000000Z-01234567`, right);
  });

  it('deletes the load balancer, and one that is not there', async () => {
    await push(3, text());
    await driver.deleteLoadBalancer(amphora, lb);
    await driver.deleteLoadBalancer(amphora, lb);
    expect(await driver.getInfo(amphora)).toMatchObject({ generation: null });
  });
});

describe('amphora driver over HTTPS', () => {
  const id = randomUUID();
  const amphora = { id, lb_network_ip: '127.0.0.1' };
  let agent: AmphoraDouble;
  let driver: HttpsAmphoraDriver;
  const drive = (more: Partial<ConstructorParameters<typeof HttpsAmphoraDriver>[0]> = {}) =>
    new HttpsAmphoraDriver({ authority, clock, port: agent.port, ...more });
  const push = () => driver.pushConfiguration(amphora, { load_balancer_id: lb, generation: 7, text: 'text' });
  const notReady = expect.objectContaining({ name: 'AmphoraNotReady' });

  beforeEach(async () => {
    agent = await startAmphoraDouble(authority, id);
    driver = drive();
  });
  afterEach(async () => {
    await driver.close();
    await agent.close();
  });

  it('shows the control plane’s certificate and keeps its connection', async () => {
    agent.answer = { status: 200, body: { amphora_id: id } satisfies Partial<AgentInfo> };
    for (let n = 0; n < 5; n += 1) expect((await driver.getInfo(amphora)).amphora_id).toBe(id);
    expect(agent.heard.map(({ client }) => client)).toEqual(new Array(5).fill(clientName));
    expect(agent.connections).toBe(1);
  });

  it('sends a configuration with its generation and digest', async () => {
    agent.answer = { status: 202, body: { generation: 7, digest: sha256('text'), method: 'reload' } };
    expect(await push()).toEqual({ generation: 7, digest: sha256('text'), method: 'reload' });
    expect(agent.heard[0]).toMatchObject({
      method: 'PUT',
      path: `/1.0/loadbalancer/${id}/${lb}/haproxy`,
      body: 'text',
    });
    const headers = { 'x-octavia-generation': '7', 'x-octavia-digest': sha256('text') };
    expect(agent.heard[0]!.headers).toMatchObject(headers);
  });

  it('hands on what the agent found wrong with a configuration', async () => {
    const rejection = { error: 'invalid', http_code: 400, message: 'line 1', lines: [{ line: 1, message: 'what?' }] };
    agent.answer = { status: 400, body: rejection };
    const refused = await push().catch((error) => error);
    expect(refused).toBeInstanceOf(ConfigurationRefused);
    expect(refused.rejection).toEqual(rejection);
  });

  it('tells a stale configuration from other conflicts', async () => {
    agent.answer = { status: 409, body: { error: 'stale' } };
    await expect(push()).rejects.toThrow(StaleConfiguration);
    agent.answer = { status: 409, body: { error: 'this amphora serves another load balancer' } };
    await expect(push()).rejects.toThrow(DriverError);
  });

  describe('with files', () => {
    const files = ['one', 'two'].map((contents) => ({ digest: sha256(contents), contents }));
    const missing = (...digests: string[]) => ({
      status: 409,
      body: { error: 'certificates_missing', http_code: 409, missing: digests },
    });
    const taken = { status: 202, body: { generation: 7, digest: sha256('text'), method: 'runtime' } };
    const pushFiles = () =>
      driver.pushConfiguration(amphora, { load_balancer_id: lb, generation: 7, text: 'text', files });
    const asked = () => agent.heard.map(({ method, path }) => `${method} ${path.split('/').at(-1)}`);

    it('sends none that the agent has: one request', async () => {
      agent.answer = taken;
      await pushFiles();
      expect(asked()).toEqual(['PUT haproxy']);
    });

    it('sends exactly those that are missing, and pushes again', async () => {
      const answers = [missing(sha256('two')), { status: 200, body: {} }, taken];
      agent.answers = answers;
      expect(await pushFiles()).toEqual(taken.body);
      expect(asked()).toEqual(['PUT haproxy', `PUT ${sha256('two')}.pem`, 'PUT haproxy']);
      expect(agent.heard[1]).toMatchObject({ path: expect.stringContaining(`/loadbalancer/${lb}/`), body: 'two' });
    });

    it('gives up on an agent that is never satisfied', async () => {
      agent.answer = missing();
      await expect(pushFiles()).rejects.toThrow(/certificates_missing/);
      expect(asked()).toEqual(['PUT haproxy', 'PUT haproxy', 'PUT haproxy']);
    });

    it('fails when the agent asks for what the configuration does not have', async () => {
      agent.answer = missing(sha256('three'));
      await expect(pushFiles()).rejects.toThrow(DriverError);
    });
  });

  it('ends quietly when the agent knows of a higher epoch', async () => {
    agent.answer = { status: 409, body: { error: 'stale' } };
    await expect(driver.postVipPlug(amphora, lb, '2001:db8::1', 3)).rejects.toThrow(Superseded);
    const body = JSON.stringify({ load_balancer_id: lb, epoch: 3 });
    expect(agent.heard[0]).toMatchObject({ method: 'POST', path: '/1.0/plug/vip/2001:db8::1', body });
  });

  it('ends quietly when who is to leave knows of a higher epoch', async () => {
    agent.answer = { status: 409, body: { error: 'stale' } };
    await expect(driver.leaveVip(amphora, lb, '192.0.2.1', 3)).rejects.toThrow(Superseded);
    expect(agent.heard[0]).toMatchObject({ method: 'POST', path: '/1.0/leave/vip/192.0.2.1' });
  });

  it.each([400, 403, 500])('fails with both texts on an answer of %i', async (status) => {
    agent.answer = { status, body: { message: 'no' } };
    const failed = await driver.getInfo(amphora).catch((error) => error);
    expect(failed).toBeInstanceOf(DriverError);
    expect(failed).toMatchObject({ isTransient: status === 500 });
    expect(failed.message).toContain(`answered ${status}`);
  });

  it('waits for an agent that is not there', async () => {
    await agent.close();
    const refused = await driver.getInfo(amphora).catch((error) => error);
    expect(refused).toBeInstanceOf(NotReady);
    expect(refused).toEqual(notReady);
    agent = await startAmphoraDouble(authority, id);
  });

  it('waits for an agent that resets or never answers', async () => {
    driver = drive({ readTimeoutMs: 100 });
    agent.answer = 'hang';
    await expect(driver.getInfo(amphora)).rejects.toEqual(notReady);
    agent.answer = 'reset';
    await expect(driver.getInfo(amphora)).rejects.toEqual(notReady);
  });

  it('waits for a machine that takes the connection and says nothing', async () => {
    const mute = createServer(() => {}).listen(0, '127.0.0.1');
    await until('mute listens', () => mute.listening);
    driver = drive({ port: (mute.address() as { port: number }).port, connectTimeoutMs: 100 });
    await expect(driver.getInfo(amphora)).rejects.toEqual(notReady);
    mute.close();
  });

  it('asks again when the agent closed a kept connection', async () => {
    agent.answer = 'reset kept';
    for (let n = 0; n < 3; n += 1) await driver.getInfo(amphora);
    expect(agent.heard).toHaveLength(5);
    expect(agent.connections).toBe(3);
  });

  it('does not talk to another amphora at the same address', async () => {
    await expect(driver.getInfo({ ...amphora, id: randomUUID() })).rejects.toThrow(DriverError);
    expect(agent.heard).toEqual([]);
  });

  it('does not talk to what another authority signed', async () => {
    const encryptionKey = randomBytes(32);
    const stranger = new LocalCertificateAuthority({
      table: new SqliteTable({ path: ':memory:' }),
      encryptionKey,
      clock,
    });
    driver = drive({ authority: stranger });
    await expect(driver.getInfo(amphora)).rejects.toThrow(DriverError);
    expect(agent.heard).toEqual([]);
  });
});
