// Certificates on their way into the agent with the real HAProxy: what it takes, what it asks for, what it keeps, and what a kill
// between two steps leaves behind.
import { createHash, randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, renameSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { RuntimeApi } from '../../amphora/agent/runtime-api.ts';
import { freePort, makeAddress, TestAmphora, TestQueue, until } from '../support/agent-process.ts';
import { type Issuer, makeIssuer } from '../support/issuers.ts';
import { shownTo } from '../support/tls-traffic.ts';

const loadBalancer = randomUUID();
const listener = randomUUID();
const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');

let queue: TestQueue;
let issuer: Issuer;
let amphora: TestAmphora;
let host: string;
let port: number;
beforeAll(async () => {
  [queue, issuer] = await Promise.all([TestQueue.open(), makeIssuer('authority')]);
});
afterAll(() => queue.close());
beforeEach(async () => {
  host = makeAddress();
  port = await freePort(host);
  amphora = await TestAmphora.boot(queue);
});
afterEach(() => amphora.remove());

const bundle = async (name: string): Promise<string> => {
  const { certificate, private_key } = await issuer.issue(name);
  return `${certificate}\n${private_key}\n`.replaceAll(/\n+/g, '\n');
};
const place = (digest: string, id: string = loadBalancer) => `/1.0/loadbalancer/${id}/certificates/${digest}.pem`;
const upload = (contents: string, digest = sha256(contents)) => amphora.call('PUT', place(digest), contents);

const list = `${listener}.default.pem\n`;
const textOf = (certificate: string, extra = '') =>
  [
    '# Files',
    `    # file ${listener}.list ${sha256(list)}`,
    `    # file ${listener}.default.pem ${sha256(certificate)}`,
    'global',
    "    crt-base '{{DIRECTORY}}/slots'",
    "    stats socket '{{DIRECTORY}}/haproxy.sock' mode 600 level admin",
    'defaults',
    '    timeout connect 1s',
    '    timeout client 5s',
    '    timeout server 5s',
    `frontend ${listener}`,
    `    bind ${host}:${port} ssl crt-list '{{DIRECTORY}}/slots/${listener}.list'`,
    '    mode http',
    extra,
    '',
  ].join('\n');

async function serve(certificate: string): Promise<void> {
  for (const contents of [list, certificate]) expect((await upload(contents)).status).toBe(200);
  expect((await amphora.push(loadBalancer, 1, textOf(certificate))).json).toMatchObject({ method: 'kept' });
  expect((await amphora.plug(loadBalancer, host)).status).toBe(202);
}
const shown = () => shownTo({ host, port });
const kept = () => readdirSync(join(amphora.directory, 'state', loadBalancer, 'certificates')).sort();
const filesOf = (...contents: string[]) => contents.map((text) => `${sha256(text)}.pem`).sort();
const stateOf = (name: string) => join(amphora.directory, 'state', loadBalancer, name);

describe('an upload', () => {
  test('is kept for the agent alone, and shown by its sums', async () => {
    const certificate = await bundle('one');
    await upload(certificate);
    const file = stateOf(`certificates/${sha256(certificate)}.pem`);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    const md5sum = createHash('md5').update(certificate).digest('hex');
    const answer = await amphora.call('GET', place(sha256(certificate)));
    expect([answer.status, answer.json]).toEqual([200, { md5sum, sha256sum: sha256(certificate) }]);
    expect(answer.text).not.toContain('PRIVATE KEY');
    expect((await amphora.call('DELETE', place(sha256(certificate)))).status).toBe(200);
    expect(existsSync(file)).toBe(false);
    expect((await amphora.call('GET', place(sha256(certificate)))).status).toBe(404);
  });

  test.each([
    ['its contents under another digest', () => [place(sha256('other')), 'contents', 400]],
    ['a name that is no digest', () => [`/1.0/loadbalancer/${loadBalancer}/certificates/server.pem`, 'x', 404]],
    ['a digest in capitals', () => [place(sha256('x').toUpperCase()), 'x', 404]],
    ['a way out of the directory', () => [`/1.0/loadbalancer/${loadBalancer}/certificates/../../server.pem`, 'x', 404]],
    ['an encoded way out', () => [`/1.0/loadbalancer/${loadBalancer}/certificates/..%2f${sha256('x')}.pem`, 'x', 404]],
    ['what is no load balancer', () => [place(sha256('x'), '..'), 'x', 404]],
    ['more than 8 MB', () => [place(sha256('x')), 'x'.repeat(8 * 1024 * 1024 + 1), 413]],
  ] as [string, () => [string, string, number]][])('is refused with %s', async (_, given) => {
    const [path, body, status] = given();
    expect((await amphora.call('PUT', path, body)).status).toBe(status);
    expect(existsSync(stateOf('certificates'))).toBe(false);
  });

  test('is refused for another load balancer than the one that is served', async () => {
    await serve(await bundle('one'));
    expect((await amphora.call('PUT', place(sha256('x'), randomUUID()), 'x')).status).toBe(409);
  });
});

describe('a configuration', () => {
  test('that names what is not there is answered with what is missing, and changes nothing', async () => {
    const [one, two] = [await bundle('one'), await bundle('two')];
    await serve(one);
    const answer = await amphora.push(loadBalancer, 2, textOf(two));
    expect([answer.status, answer.json]).toEqual([
      409,
      { error: 'certificates_missing', http_code: 409, missing: [sha256(two)] },
    ]);
    expect((await amphora.call('GET', '/1.0/info')).json).toMatchObject({ generation: 1 });
    expect(await shown()).toBe('one');
  });

  test('changes a certificate without a reload, and keeps nothing else', async () => {
    const [one, two] = [await bundle('one'), await bundle('two')];
    await serve(one);
    const { workers } = amphora.haproxyPids(loadBalancer);
    await upload(two);
    expect((await amphora.push(loadBalancer, 2, textOf(two))).json).toMatchObject({ method: 'runtime' });
    expect(await shown()).toBe('two');
    expect(amphora.haproxyPids(loadBalancer).workers).toEqual(workers);
    expect(kept()).toEqual(filesOf(list, two));
    expect((await amphora.call('DELETE', place(sha256(two)))).status).toBe(409);
    expect((await amphora.push(loadBalancer, 3, textOf(two))).json).toMatchObject({ method: 'none' });
  });

  test('with a certificate that HAProxy cannot read is refused by the line of its bind, and the last good one serves', async () => {
    const one = await bundle('one');
    const broken = one.replace(/PRIVATE KEY-----\n.{20}/, 'PRIVATE KEY-----\n');
    await serve(one);
    await upload(broken);
    const text = textOf(broken);
    const answer = await amphora.push(loadBalancer, 2, text);
    const line = text.split('\n').findIndex((each) => each.includes('bind ')) + 1;
    expect([answer.status, answer.json]).toMatchObject([400, { error: 'invalid', lines: [{ line }] }]);
    expect(await shown()).toBe('one');
    process.kill(amphora.haproxyPids(loadBalancer).master, 'SIGKILL');
    expect(await until('HAProxy serves again', shown)).toBe('one');
  });

  test.each([
    ['a slot with a way out', `# file ../../${listener}.default.pem ${'0'.repeat(64)}`],
    ['a slot that is named twice', `# file ${listener}.list ${sha256(list)}`],
    ['no digest', `# file ${listener}.crl none`],
  ])('is refused with %s in its manifest', async (_, line) => {
    const one = await bundle('one');
    await upload(one);
    await upload(list);
    const text = textOf(one, `    ${line}`);
    const answer = await amphora.push(loadBalancer, 1, text);
    const at = text.split('\n').lastIndexOf(`    ${line}`) + 1;
    expect([answer.status, answer.json]).toMatchObject([400, { error: 'invalid', lines: [{ line: at }] }]);
  });

  test('with a certificate that is larger than a command may be comes into force by a reload', async () => {
    const [one, two] = [await bundle('one'), await bundle('two')];
    const large = two + two.slice(0, two.indexOf('-----BEGIN PRIVATE')).repeat(40);
    await serve(one);
    await upload(large);
    expect((await amphora.push(loadBalancer, 2, textOf(large))).json).toMatchObject({ method: 'reload' });
    await until('the new worker serves', async () => (await shown()) === 'two');
  });

  test('that goes takes its certificates along', async () => {
    await serve(await bundle('one'));
    expect((await amphora.call('DELETE', `/1.0/listeners/${loadBalancer}`)).status).toBe(200);
    expect(existsSync(stateOf('.'))).toBe(false);
  });
});

describe('an agent that was killed', () => {
  const restarted = async (change: () => void) => {
    await amphora.kill('SIGKILL');
    change();
    await amphora.start();
  };
  /** Slots as they lie there, whatever leads to them. */
  const contentsServed = () => amphora.file(`${loadBalancer}/slots/${listener}.default.pem`);

  test('in the middle of laying out files serves the last good ones', async () => {
    const one = await bundle('one');
    await serve(one);
    await restarted(() => {
      writeFileSync(stateOf('haproxy.cfg.new'), 'half');
      writeFileSync(stateOf(`certificates/${sha256('half')}.pem.new`), 'half');
    });
    expect(await until('HAProxy serves', shown)).toBe('one');
    expect((await amphora.push(loadBalancer, 2, textOf(one, '    timeout http-request 3s'))).status).toBe(202);
    expect(kept()).toEqual(filesOf(list, one));
  });

  test('between files and text goes back to the last good ones, in the process too', async () => {
    const [one, two] = [await bundle('one'), await bundle('two')];
    await serve(one);
    await upload(two);
    await restarted(() => {
      // Where install() is after its first step, and a HAProxy that was told to reload by somebody just then.
      mkdirSync(stateOf('slots-next'));
      for (const [slot, contents] of [
        ['list', list],
        ['default.pem', two],
      ] as const) {
        symlinkSync(`../certificates/${sha256(contents)}.pem`, stateOf(`slots-next/${listener}.${slot}`));
      }
      symlinkSync('slots-next', stateOf('slots.new'));
      renameSync(stateOf('slots.new'), stateOf('slots'));
      process.kill(amphora.haproxyPids(loadBalancer).master, 'SIGUSR2');
    });
    await until('the files are the last good ones', () => contentsServed() === one);
    await until('the process is back, too', async () => (await shown()) === 'one');
    expect((await amphora.push(loadBalancer, 2, textOf(two))).json).toMatchObject({ method: 'runtime' });
    expect(await shown()).toBe('two');
    expect(existsSync(stateOf('slots-next'))).toBe(false);
    expect(contentsServed()).toBe(two);
  });

  test('after it had told the process, and not the files, has the process told back', async () => {
    const [one, two] = [await bundle('one'), await bundle('two')];
    await serve(one);
    await upload(two);
    const { workers } = amphora.haproxyPids(loadBalancer);
    const runtime = new RuntimeApi(`/proc/${amphora.haproxyPids(loadBalancer).master}/cwd/master.sock`);
    const slot = `/proc/self/cwd/slots/${listener}.default.pem`;
    await runtime.ask(workers[0]!, `set ssl cert ${slot} <<\n${two}`);
    await runtime.ask(workers[0]!, `commit ssl cert ${slot}`);
    expect(await shown()).toBe('two');
    await restarted(() => writeFileSync(stateOf('haproxy.cfg.new'), textOf(two)));
    await until('the process is that of the last good files', () => {
      const now = amphora.haproxyPids(loadBalancer).workers;
      return now.length > 0 && !now.includes(workers[0]!);
    });
    expect(await shown()).toBe('one');
  });
});
