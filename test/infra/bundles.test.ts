import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Bundles, bundlesInTemporaryDirectory, functionNames } from '../support/bundles.ts';

const run = promisify(execFile);
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
  it.each(functionNames)('%s is imported by Node alone and exports a handler', async (name) => {
    const { file, loadedBytes, totalBytes } = bundles.make(name);
    console.info(`${name}: ${Math.round(loadedBytes / 1000)} kB at import, ${Math.round(totalBytes / 1000)} kB in all`);
    const [type, parameters] = (await exportsOf(file)).split(' ');
    expect(type).toBe('function');
    // A third parameter would be a callback, which Lambda's Node 24 refuses.
    expect(Number(parameters)).toBeLessThan(3);
  });
});
