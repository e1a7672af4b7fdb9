// The network cut in one place after the other, between real processes in a network namespace of their own.
import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { obstacleToPartitions } from '../chaos/own-network.ts';
import { runChaos } from '../support/chaos-run.ts';

const temporary = realpathSync(mkdtempSync(join(tmpdir(), 'octavia-partitions-test-')));
afterAll(() => rmSync(temporary, { recursive: true, force: true }));

const obstacle = obstacleToPartitions();
if (obstacle !== undefined) process.stdout.write(`  cuts of the network are not tested: ${obstacle}\n`);

test.skipIf(obstacle !== undefined)(
  'who is cut off is replaced once and fenced, who is cut from others than the control plane stays',
  async () => {
    const { code, lines } = await runChaos(['--cases'], temporary);
    expect(lines.filter((line) => line.startsWith('BROKEN'))).toEqual([]);
    expect(lines.filter((line) => line.endsWith('replaced, once'))).toHaveLength(3);
    expect(lines.filter((line) => line.endsWith('nobody replaced'))).toHaveLength(3);
    expect(lines.at(-1)).toMatch(/^[1-9]\d+ looks at who owns the VIPs, 0 saw two owners$/);
    expect(code).toBe(0);
  },
  300_000,
);
