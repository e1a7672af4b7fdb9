// Whether PING monitors may be run is found out before they are relied on.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { PingTrial } from '../../amphora/agent/ping-check.ts';

const pinging = "backend one\n    option external-check\n    external-check command 'ping-check.sh'\nbackend two\n";

describe('a configuration with PING monitors', () => {
  let path: string | undefined;
  let empty: string;
  beforeEach(() => {
    path = process.env['PATH'];
    empty = mkdtempSync(join(tmpdir(), 'no-programs-'));
  });
  afterEach(() => {
    process.env['PATH'] = path;
    rmSync(empty, { recursive: true });
  });

  test('is refused line by line where ping does not work', async () => {
    process.env['PATH'] = empty;
    const refused = new PingTrial().check(pinging);
    await expect(refused).rejects.toMatchObject({ name: 'ConfigurationRefused', rejection: { lines: [{ line: 3 }] } });
  });

  test('is taken where it works, and one without them everywhere', async () => {
    await new PingTrial().check(pinging);
    process.env['PATH'] = empty;
    await new PingTrial().check('backend one\n');
  });
});
