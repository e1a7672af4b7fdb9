import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest';
import LruCache from '../../infra/constructs/lru-cache.ts';
import { type Bundles, bundlesInTemporaryDirectory, functionNames } from '../support/bundles.ts';

const run = promisify(execFile);
/** Each kilobyte that is read at import is waited for by whoever meets a cold start. */
const apiBytes = 400_000;
let bundles: Bundles;
beforeAll(() => {
  bundles = bundlesInTemporaryDirectory();
});
afterAll(() => bundles.remove());

/** As Lambda does: with an environment of its own and none of our packages within reach. */
async function exportsOf(file: string): Promise<string> {
  const code = `const { handler } = await import(${JSON.stringify(file)}); console.log(typeof handler, handler.length)`;
  const env = { AWS_REGION: 'eu-central-1', OCTAVIA_REGION: 'eu-central-1', OCTAVIA_TABLE_NAME: 'octavia' };
  const { stdout } = await run(process.execPath, ['--input-type=module', '-e', code], { cwd: bundles.directory, env });
  return stdout.trim();
}

describe('bundles', () => {
  it.each(functionNames)(
    '%s is imported by Node alone and exports a handler, the API from less than 400 kB',
    async (name) => {
      const { file, loadedBytes, totalBytes } = bundles.make(name);
      console.info(
        `${name}: ${Math.round(loadedBytes / 1000)} kB at import, ${Math.round(totalBytes / 1000)} kB in all`,
      );
      if (name === 'api') expect(loadedBytes, 'see docs/decisions/0026').toBeLessThan(apiBytes);
      const [type, parameters] = (await exportsOf(file)).split(' ');
      expect(type).toBe('function');
      // A third parameter would be a callback, which Lambda's Node 24 refuses.
      expect(Number(parameters)).toBeLessThan(3);
    },
  );
});

test('the cache that bundles put in for a larger one keeps what was asked for last', () => {
  const cache = new LruCache<string, number>(2);
  cache.set('a', 1).set('b', 2);
  expect(cache.get('a')).toBe(1);
  cache.set('c', 3);
  expect([cache.has('a'), cache.has('b'), cache.peek('c')]).toEqual([true, false, 3]);
});
