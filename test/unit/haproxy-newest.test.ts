// What is rendered is not only for the HAProxy that is installed: golden configurations on the newest there is.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { HaproxyDirectory } from '../support/haproxy.ts';
import { newestHaproxy } from '../support/newest-haproxy.ts';

const newest = await newestHaproxy();
if ('reason' in newest) process.stdout.write(`  without the newest HAProxy: ${newest.reason}\n`);
const directory = new HaproxyDirectory();
afterAll(() => directory[Symbol.dispose]());

const goldens = join(import.meta.dirname, '../golden/haproxy');
/** Those that name files of certificates are checked where the files are made. */
const isWhole = (name: string) => !/slots'|peer\.pem/.test(readFileSync(join(goldens, name), 'utf8'));
const files = readdirSync(goldens).filter((name) => name.endsWith('.cfg') && isWhole(name));

describe.skipIf('reason' in newest)('the newest HAProxy takes without a warning', () => {
  test('every golden configuration that there is', () => expect(files.length).toBeGreaterThan(30));
  test.for(files)('%s', async (file) => {
    const text = readFileSync(join(goldens, file), 'utf8');
    const { isValid, output } = await directory.check(text, 'path' in newest ? newest.path : '');
    expect({ isValid, complaints: output.match(/^\[(?:WARNING|ALERT)\].*$/gm) }).toEqual({
      isValid: true,
      complaints: null,
    });
  });
});
