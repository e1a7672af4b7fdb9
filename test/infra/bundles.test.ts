import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, describe, expect, it } from 'vitest';
import { bundle, sizesOf } from '../../infra/constructs/bundle.ts';
import { functionNames, specOf } from '../../infra/functions.ts';

const run = promisify(execFile);
const directory = mkdtempSync(join(tmpdir(), 'octavia-bundles-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** As Lambda does: with the environment of the function and nothing of ours within reach. */
async function exportsOf(file: string): Promise<string> {
  const code = `const { handler } = await import(${JSON.stringify(file)}); console.log(typeof handler, handler.length)`;
  const env = { AWS_REGION: 'eu-central-1', OCTAVIA_REGION: 'eu-central-1', OCTAVIA_TABLE_NAME: 'octavia' };
  const { stdout } = await run(process.execPath, ['--input-type=module', '-e', code], { cwd: directory, env });
  return stdout.trim();
}

describe('bundles', () => {
  it.each(functionNames)('%s is imported by Node alone and exports a handler', async (name) => {
    const outdir = join(directory, name);
    const { loadedBytes, totalBytes } = sizesOf(bundle(specOf(name).entry, outdir));
    console.info(`${name}: ${Math.round(loadedBytes / 1000)} kB at import, ${Math.round(totalBytes / 1000)} kB in all`);
    const [type, parameters] = (await exportsOf(join(outdir, 'index.mjs'))).split(' ');
    expect(type).toBe('function');
    // A third parameter would be a callback, which Lambda's Node 24 refuses.
    expect(Number(parameters)).toBeLessThan(3);
  });
});
