// What any store of objects makes of the rights it gave. fauxqs keeps objects as S3 does but checks no signature, so S3's own
// check stands in front of it.
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { startFauxqs } from 'fauxqs';
import { afterEach, describe, expect, it } from 'vitest';
import { DirectoryObjectStore } from '../../lambdas/drivers/objects/directory.ts';
import type { ObjectStore } from '../../lambdas/drivers/objects/object-store.ts';
import { refusalOf } from '../../lambdas/drivers/objects/presigned-url.ts';
import { S3ObjectStore } from '../../lambdas/drivers/objects/s3.ts';

interface World {
  store: ObjectStore;
  read(key: string): Promise<Buffer | undefined>;
  close(): Promise<void>;
}
type Answer = { status: number; message: string };

const clock = {
  ahead: 0,
  now: () => Date.now() + clock.ahead,
};
const rightMs = 60_000;

async function serve(
  answer: (request: IncomingMessage) => Promise<Answer>,
): Promise<{ server: Server; endpoint: string }> {
  const server = createServer((request, response) => {
    answer(request).then(
      ({ status, message }) => response.writeHead(status, { connection: 'close' }).end(message),
      (error) => response.writeHead(500).end(String(error)),
    );
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return { server, endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

const worlds: Record<string, () => Promise<World>> = {
  directory: async () => {
    const directory = mkdtempSync(join(tmpdir(), 'objects-'));
    const { server, endpoint } = await serve((request) => store.put(request));
    const store = new DirectoryObjectStore({
      directory,
      endpoint: () => `${endpoint}/objects`,
      secret: 's',
      clock,
      rightMs,
    });
    return {
      store,
      read: async (key) => (existsSync(join(directory, key)) ? readFileSync(join(directory, key)) : undefined),
      close: async () => {
        server.close();
        // Whatever was refused left nothing behind either.
        const files = readdirSync(directory, { recursive: true, withFileTypes: true }).filter((one) => one.isFile());
        expect(files.filter(({ name }) => name !== 'object.gz')).toEqual([]);
        rmSync(directory, { recursive: true });
      },
    };
  },
  S3: async () => {
    const fauxqs = await startFauxqs({ port: 0, logger: false, init: { buckets: ['logs'] } } as never);
    const credentials = { accessKeyId: 'key', secretAccessKey: 'secret', sessionToken: 'a token/+=' };
    const behind = `http://127.0.0.1:${fauxqs.port}`;
    const { server, endpoint } = await serve(async (request) => {
      const { method = '', url = '', headers } = request;
      const refusal = refusalOf({ method, target: url, headers }, credentials, clock.now());
      if (refusal !== undefined) return { status: 403, message: refusal };
      const body = await buffer(request);
      const checksum = createHash('sha256').update(body).digest('base64');
      if (checksum !== headers['x-amz-checksum-sha256']) return { status: 400, message: 'BadDigest' };
      const answer = await fetch(behind + url.split('?')[0], {
        method,
        body,
        headers: { 'content-type': 'application/gzip' },
      });
      return { status: answer.status, message: await answer.text() };
    });
    const options = {
      bucket: 'logs',
      region: 'us-east-1',
      credentials: async () => credentials,
      clock,
      rightMs,
      endpoint,
    };
    return {
      store: new S3ObjectStore(options),
      read: async (key) => {
        const answer = await fetch(`${behind}/logs/${key}`);
        return answer.ok ? Buffer.from(await answer.arrayBuffer()) : undefined;
      },
      close: async () => {
        server.close();
        await fauxqs.stop();
      },
    };
  },
};

describe.each(Object.entries(worlds))('object store: %s', (_name, make) => {
  let world: World | undefined;
  afterEach(async () => {
    clock.ahead = 0;
    await world?.close();
  });
  const content = Buffer.from('what was logged');
  const key = 'tenant/p/lb/2026/03/01/object.gz';
  const sha256 = (of: Buffer) => createHash('sha256').update(of).digest('hex');
  const wish = { key, bytes: content.length, sha256: sha256(content) };
  const put = (url: string, headers: Record<string, string>, body = content, method = 'PUT') =>
    fetch(url, { method, headers, body }).then(
      ({ status }) => status,
      () => 'not even sent',
    );

  it('keeps the object under its key, and again when it is put twice', async () => {
    world = await make();
    const { url, headers, expires_at } = await world.store.rightToPut(wish);
    expect(await put(url, headers)).toBe(200);
    expect(await put(url, headers)).toBe(200);
    expect(await world.read(key)).toEqual(content);
    expect(Math.abs(expires_at - Date.now() - rightMs)).toBeLessThan(10_000);
  });

  it('takes no other content, neither of another size nor of the same', async () => {
    world = await make();
    const { url, headers } = await world.store.rightToPut(wish);
    const other = Buffer.from('WHAT was logged');
    expect(await put(url, headers, other)).toBe(400);
    const checksum = { 'x-amz-checksum-sha256': Buffer.from(sha256(other), 'hex').toString('base64') };
    expect(await put(url, { ...headers, ...checksum }, other)).toBe(403);
    const longer = Buffer.concat([content, content]);
    expect(await put(url, { ...headers, 'content-length': String(longer.length) }, longer)).toBe(403);
    expect(await world.read(key)).toBeUndefined();
  });

  it('takes no other object, lets nobody read, and nothing when the time is over', async () => {
    world = await make();
    const { url, headers } = await world.store.rightToPut(wish);
    expect(await put(url.replace('object.gz', 'other.gz'), headers)).toBe(403);
    expect((await fetch(url)).status).toBe(403);
    expect((await fetch(url, { method: 'DELETE' })).status).toBe(403);
    clock.ahead = rightMs + 1_000;
    expect(await put(url, headers)).toBe(403);
    expect(await world.read(key)).toBeUndefined();
  });
});
