import { execFile, execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { userDataOf } from '../../amphora/boot-document.ts';
import { stockInstall } from '../../amphora/image/stock-install.ts';

const hasPython = spawnSync('python3', ['--version']).status === 0;
if (!hasPython) console.log('the lines of user data are not run: there is no python3');
const run = promisify(execFile);

describe.skipIf(!hasPython)('a stock machine that is told to become an amphora', () => {
  const place = mkdtempSync(join(tmpdir(), 'stock-'));
  const server = createServer((_request, response) => response.end(readFileSync(join(place, 'kit.tar.gz'))));
  let url: string;
  beforeAll(async () => {
    mkdirSync(join(place, 'kit'));
    writeFileSync(join(place, 'kit/install.sh'), `echo installed > '${place}/outcome'\n`);
    execFileSync('tar', ['-czf', join(place, 'kit.tar.gz'), '-C', join(place, 'kit'), '.']);
    await once(server.listen(0, '127.0.0.1'), 'listening');
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/kit.tar.gz?X-Amz-Signature=abc%2F&X-Amz-Date=1`;
  });
  afterAll(() => {
    server.close();
    rmSync(place, { recursive: true, force: true });
  });

  const become = (sha256: string) => {
    const lines = stockInstall({ url, sha256 }).replaceAll('/var/lib/octavia-kit', `${place}/unpacked`);
    return run('sh', ['-c', `set -eu\n${lines}`]);
  };

  test('fetches the kit, runs its script and leaves nothing of it', async () => {
    await become(
      createHash('sha256')
        .update(readFileSync(join(place, 'kit.tar.gz')))
        .digest('hex'),
    );
    expect(readFileSync(join(place, 'outcome'), 'utf8')).toBe('installed\n');
    expect(existsSync(join(place, 'unpacked'))).toBe(false);
  });

  test('runs nothing of another kit than the one it was told of', async () => {
    rmSync(join(place, 'outcome'), { force: true });
    await expect(become('0'.repeat(64))).rejects.toThrow();
    expect(existsSync(join(place, 'outcome'))).toBe(false);
  });
});

test('the lines go into user data before the agent is started, and a URL that is more than one is refused', () => {
  const sha256 = 'a'.repeat(64);
  const install = stockInstall({ url: 'https://bucket.s3.eu-central-1.amazonaws.com/kit?X-Amz-Signature=1', sha256 });
  const settings = { client_name: 'c', heartbeat_interval_ms: 1, heartbeat_queue_url: 'https://q', sqs_endpoint: null };
  const others = { region: 'r', hard_stop_after_ms: 1, max_connections: null };
  const bundle = { url: 'https://b', sha256 };
  const script = userDataOf({ version: 1, amphora_id: 'a', bundle, settings: { ...settings, ...others } }, install);
  expect(script.indexOf('install.sh')).toBeLessThan(script.indexOf('systemctl start'));
  expect(() => stockInstall({ url: "https://b/'; reboot; '", sha256 })).toThrow('URL');
  expect(() => stockInstall({ url: 'https://b/', sha256: '$(reboot)' })).toThrow('SHA-256');
});
