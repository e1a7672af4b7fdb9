// What an agent was born with is renewed while it runs: what it takes, what it refuses, and what a kill leaves of it.
import { createHash, randomBytes, randomUUID, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { copyFileSync, existsSync, writeFileSync } from 'node:fs';
import { Agent, request } from 'node:https';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect, type TLSSocket } from 'node:tls';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { authority, controlPlane, freePort, TestAmphora, TestQueue, until } from '../support/agent-process.ts';
import { makeAuthority, type Pair } from '../support/certificates.ts';

const successor = await makeAuthority('its successor');
const stranger = await makeAuthority('a stranger');
const byAll = [authority.certificate, successor.certificate, stranger.certificate].join('\n');
const laterControlPlane = await successor.issue('octavia-control-plane');

let queue: TestQueue;
let amphora: TestAmphora;
beforeEach(async () => {
  queue = await TestQueue.open();
  amphora = await TestAmphora.boot(queue);
});
afterEach(async () => {
  await amphora.remove();
  queue.close();
});

const pemOf = ({ certificate, private_key }: Pair) => `${certificate}\n${private_key}\n`;
const fingerprintOf = ({ certificate }: Pair) => new X509Certificate(certificate).fingerprint256;
/** On a connection of its own. */
function put(path: string, body: string, { certificate: cert, private_key: key } = controlPlane) {
  const { bind_address: host, bind_port: port } = amphora.settings;
  const options = {
    method: 'PUT',
    host,
    port,
    path,
    ca: byAll,
    cert,
    key,
    servername: amphora.id,
    agent: false as const,
  };
  return new Promise<{ status: number; text: string }>((resolve, reject) => {
    const call = request(options, async (response) => {
      let text = '';
      for await (const chunk of response) text += chunk;
      resolve({ status: response.statusCode!, text });
    });
    call.on('error', reject).end(body);
  });
}
const putCertificate = (pair: Pair, as?: Pair) => put('/1.0/certificate', pemOf(pair), as);
const putAuthorities = (version: number, pems: string[], as?: Pair) =>
  put('/1.0/certificate/authorities', JSON.stringify({ version, certificates: pems.join('\n') }), as);
const putKey = (version: number, heartbeat_key: string) =>
  put('/1.0/heartbeat-key', JSON.stringify({ version, heartbeat_key }));
const minutesAgo = (minutes: number) => new Date(Date.now() - minutes * 60_000);
const certificateFile = () => join(amphora.directory, 'state/identity/server.pem');

/** What a new connection is shown; rejects when the other side does not take the client. */
async function shown(identity: Pair = controlPlane, port = amphora.settings.bind_port): Promise<string> {
  const { bind_address: host } = amphora.settings;
  const { certificate: cert, private_key: key } = identity;
  const socket: TLSSocket = connect({ host, port, ca: byAll, cert, key, servername: amphora.id });
  try {
    socket.write('GET /1.0/info HTTP/1.1\r\nhost: agent\r\n\r\n');
    const ended = once(socket, 'close').then(() => Promise.reject(new Error('closed without an answer')));
    await Promise.race([once(socket, 'data'), ended]);
    return socket.getPeerCertificate().fingerprint256;
  } finally {
    socket.destroy();
  }
}

async function restart(): Promise<void> {
  await amphora.kill('SIGKILL');
  await amphora.start();
}

describe('a server certificate', () => {
  test('is shown to whoever connects from then on, also after a kill, and connections there are go on', async () => {
    const before = await shown();
    const kept = new Agent({ keepAlive: true, maxSockets: 1 });
    const ask = () =>
      new Promise<{ socket: unknown; fingerprint: string }>((resolve, reject) => {
        const { bind_address: host, bind_port: port } = amphora.settings;
        const { certificate: cert, private_key: key } = controlPlane;
        const tls = { ca: byAll, cert, key, servername: amphora.id, agent: kept };
        const call = request({ host, port, path: '/1.0/info', ...tls }, (response) => {
          const socket = response.socket as TLSSocket;
          response
            .resume()
            .on('end', () => resolve({ socket, fingerprint: socket.getPeerCertificate().fingerprint256 }));
        });
        call.on('error', reject).end();
      });
    const first = await ask();
    const next = await authority.issue(amphora.id);
    expect(await putCertificate(next)).toMatchObject({ status: 202, text: '{"message":"OK"}' });
    expect(await shown()).toBe(fingerprintOf(next));
    expect(await ask()).toEqual({ socket: first.socket, fingerprint: before });
    kept.destroy();
    await restart();
    expect(await shown()).toBe(fingerprintOf(next));
  });

  test('that was given twice is the same, and one older than the one in use is refused', async () => {
    const next = await authority.issue(amphora.id, minutesAgo(5));
    expect((await putCertificate(next)).status).toBe(202);
    expect((await putCertificate(next)).status).toBe(202);
    expect((await putCertificate(await authority.issue(amphora.id, minutesAgo(6)))).status).toBe(409);
    expect(await shown()).toBe(fingerprintOf(next));
  });

  test('that is not its own, not signed by whom it trusts, not valid or no certificate is refused', async () => {
    const before = await shown();
    const good = await authority.issue(amphora.id);
    const other = await authority.issue(amphora.id);
    const wrong: Record<string, Pair> = {
      'the private key is not that of the certificate': { ...good, private_key: other.private_key },
      'the certificate does not name': await authority.issue('another-amphora'),
      'no trusted authority': await stranger.issue(amphora.id),
      'is not valid now': await authority.issue(amphora.id, minutesAgo(60), minutesAgo(1)),
      'a certificate and its private key are needed': { certificate: 'none', private_key: '' },
    };
    for (const [why, pair] of Object.entries(wrong)) {
      const answer = await putCertificate(pair);
      expect({ why, status: answer.status }).toEqual({ why, status: 400 });
      expect(answer.text).toContain(why);
    }
    expect(await shown()).toBe(before);
    expect(existsSync(certificateFile())).toBe(false);
  });

  test('is whole, the old one or the new one, wherever the agent is killed while it takes it', async () => {
    const seen = new Set<string>();
    let inUse = await shown();
    for (let round = 0; round < 12; round++) {
      const next = await authority.issue(amphora.id, minutesAgo(1_000 - round));
      const put = putCertificate(next).catch(() => undefined);
      await sleep(round * 5);
      await amphora.kill('SIGKILL');
      const answer = await put;
      await amphora.start();
      const now = await shown();
      if (answer?.status === 202) expect(now).toBe(fingerprintOf(next));
      expect([inUse, fingerprintOf(next)]).toContain(now);
      seen.add(now === inUse ? 'the old one' : 'the new one');
      inUse = now;
    }
    console.log(`kills while a certificate was taken left: ${[...seen].toSorted().join(', ')}`);
  });

  test.each([
    ['before anything was written', []],
    ['with half a new file', ['server.pem.new']],
    ['with the old one put aside', ['server.pem.new', 'server.pem.old']],
  ])('goes on with the one before after a kill %s', async (_when, left) => {
    const first = await authority.issue(amphora.id, minutesAgo(9));
    await putCertificate(first);
    await amphora.kill('SIGKILL');
    for (const name of left) {
      const file = join(amphora.directory, 'state/identity', name);
      if (name.endsWith('.new')) writeFileSync(file, pemOf(await authority.issue(amphora.id)).slice(0, 300));
      else copyFileSync(certificateFile(), file);
    }
    await amphora.start();
    expect(await shown()).toBe(fingerprintOf(first));
    const next = await authority.issue(amphora.id, minutesAgo(1));
    expect((await putCertificate(next)).status).toBe(202);
    expect(await shown()).toBe(fingerprintOf(next));
  });

  test('that cannot be read at the start gives way to the one before it, which is kept until the new one was seen', async () => {
    const [first, second] = await Promise.all([9, 1].map((age) => authority.issue(amphora.id, minutesAgo(age))));
    await putCertificate(first!);
    await shown();
    await putCertificate(second!);
    expect(existsSync(`${certificateFile()}.old`)).toBe(true);
    await amphora.kill('SIGKILL');
    writeFileSync(certificateFile(), 'spoilt');
    await amphora.start();
    expect(await shown()).toBe(fingerprintOf(first!));
    await putCertificate(second!);
    expect(await shown()).toBe(fingerprintOf(second!));
    await until('the old one is gone', () => !existsSync(`${certificateFile()}.old`));
  });
});

describe('authorities', () => {
  test('a successor is trusted beside the older one, then alone, and survives a kill', async () => {
    await expect(shown(laterControlPlane)).rejects.toThrow();
    expect((await putAuthorities(2, [authority.certificate, successor.certificate])).status).toBe(202);
    for (const identity of [controlPlane, laterControlPlane]) expect(await shown(identity)).toBeTruthy();
    const next = await successor.issue(amphora.id);
    expect((await putCertificate(next)).status).toBe(202);
    await restart();
    for (const identity of [controlPlane, laterControlPlane]) expect(await shown(identity)).toBe(fingerprintOf(next));
    // Whoever is to be trusted no more does not send it.
    expect((await putAuthorities(3, [successor.certificate])).status).toBe(400);
    expect((await putAuthorities(3, [successor.certificate], laterControlPlane)).status).toBe(202);
    await expect(shown()).rejects.toThrow();
    await restart();
    await expect(shown()).rejects.toThrow();
    expect(await shown(laterControlPlane)).toBe(fingerprintOf(next));
  });

  test('that do not cover its own certificate are refused', async () => {
    await putAuthorities(2, [authority.certificate, successor.certificate]);
    expect((await putAuthorities(3, [successor.certificate], laterControlPlane)).text).toContain('certificate in use');
    expect(await shown()).toBeTruthy();
  });

  test('that would lock out who sends them, or cannot be read, are refused', async () => {
    const refused = async (version: number, ...pems: string[]) => (await putAuthorities(version, pems)).status;
    expect(await refused(2, successor.certificate)).toBe(400);
    expect(await refused(2)).toBe(400);
    expect(await refused(2, '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----')).toBe(400);
    expect(await shown()).toBeTruthy();
    await expect(shown(laterControlPlane)).rejects.toThrow();
  });

  test('of an older version are refused', async () => {
    await putAuthorities(3, [authority.certificate, successor.certificate]);
    expect((await putAuthorities(2, [authority.certificate])).status).toBe(409);
    expect(await shown(laterControlPlane)).toBeTruthy();
  });
});

describe('a heartbeat key', () => {
  const [first, second] = [randomBytes(32).toString('hex'), createHash('sha256').update('second').digest('hex')];
  const isSignedBy = (key: string) => until('a heartbeat is signed by it', () => queue.lastKey === key);

  test('signs what comes next, also after a kill, and an older one is refused', async () => {
    queue.keys.push(first, second);
    expect((await putKey(1, first)).status).toBe(202);
    await isSignedBy(first);
    expect((await putKey(2, second)).status).toBe(202);
    expect((await putKey(2, second)).status).toBe(202);
    expect((await putKey(1, first)).status).toBe(409);
    await isSignedBy(second);
    await restart();
    queue.lastKey = '';
    await isSignedBy(second);
  });

  test('that is none is refused', async () => {
    expect((await putKey(1, 'short')).status).toBe(400);
    await isSignedBy(queue.keys[0]!);
  });
});

describe('HAProxy, towards its peers', () => {
  const loadBalancer = randomUUID();
  const mutual = `ssl crt '{{DIRECTORY}}/peer.pem' ca-file '{{DIRECTORY}}/peer-ca.pem' verify required ssl-min-ver TLSv1.3`;
  const withPeers = (peerPort: number, port: number) => {
    const { bind_address: address } = amphora.settings;
    return [
      'global',
      '  stats socket {{DIRECTORY}}/haproxy.sock mode 0600 level admin',
      '  hard-stop-after 5s',
      '  localpeer here',
      'defaults',
      ...['connect', 'client', 'server'].map((side) => `  timeout ${side} 5s`),
      `peers ${loadBalancer}`,
      `  bind ${address}:${peerPort} ${mutual}`,
      `  server here ${mutual} verifyhost ${amphora.id}`,
      'frontend web',
      `  bind ${address}:${port}`,
      '  mode tcp',
      '  default_backend web',
      'backend web',
      '  mode tcp',
      `  stick-table type ip size 1k expire 1m peers ${loadBalancer}`,
      '  stick on src',
      '',
    ].join('\n');
  };

  test('has new authorities by a reload and a new certificate without one, also when the agent was killed before it told', async () => {
    const { bind_address: address } = amphora.settings;
    const [peerPort, port] = [await freePort(address), await freePort(address)];
    expect((await amphora.push(loadBalancer, 1, withPeers(peerPort, port))).status).toBe(202);
    expect((await amphora.plug(loadBalancer, address)).status).toBe(202);
    const peerOf = (issuer: typeof authority) => issuer.issue('another-amphora');
    const [older, newer] = [await peerOf(authority), await peerOf(successor)];
    const before = await until('HAProxy answers peers', () => shown(older, peerPort));
    const { master } = amphora.haproxyPids(loadBalancer);
    expect((await putAuthorities(2, [authority.certificate, successor.certificate])).status).toBe(202);
    await until('both are taken', async () => [await shown(older, peerPort), await shown(newer, peerPort)]);
    await until('the reload is over', () => amphora.haproxyPids(loadBalancer).workers.length === 1);
    const processes = amphora.haproxyPids(loadBalancer);
    expect(processes.master).toBe(master);
    const next = await successor.issue(amphora.id, minutesAgo(9));
    expect((await putCertificate(next)).status).toBe(202);
    expect(before).not.toBe(fingerprintOf(next));
    for (const peer of [older, newer])
      await until('it shows the new one', async () => (await shown(peer, peerPort)) === fingerprintOf(next));
    expect(amphora.haproxyPids(loadBalancer)).toEqual(processes);
    await amphora.kill('SIGKILL');
    const last = await successor.issue(amphora.id, minutesAgo(1));
    writeFileSync(certificateFile(), pemOf(last));
    await amphora.start();
    await until('it shows the last', async () => (await shown(newer, peerPort)) === fingerprintOf(last));
    expect(amphora.haproxyPids(loadBalancer)).toEqual(processes);
  });
});
