import { afterEach, expect, it, vi } from 'vitest';
import { powertoolsMetrics } from '../../lambdas/runtime/powertools-metrics.ts';

afterEach(() => vi.restoreAllMocks());

it('readings are one line of the log, in the form CloudWatch takes metrics from', async () => {
  const lines: string[] = [];
  const metrics = powertoolsMetrics('octavia-one');
  const write = (text: string | Uint8Array) => lines.push(String(text)) > 0;
  vi.spyOn(process.stdout, 'write').mockImplementation(write as typeof process.stdout.write);
  vi.spyOn(console, 'log').mockImplementation(write);
  await metrics.put({ StormGuardedZones: 4, FailoverSeconds: 2.5 }, { stormy_zones: 'zone-a' });
  expect(lines).toHaveLength(1);
  const told = JSON.parse(lines[0]!);
  expect(told).toMatchObject({
    service: 'octavia-one',
    StormGuardedZones: 4,
    FailoverSeconds: 2.5,
    stormy_zones: 'zone-a',
  });
  const [directive] = told._aws.CloudWatchMetrics;
  expect(directive.Namespace).toBe('Octavia');
  expect(directive.Dimensions).toEqual([['service']]);
  expect(directive.Metrics).toEqual([
    { Name: 'StormGuardedZones', Unit: 'Count' },
    { Name: 'FailoverSeconds', Unit: 'Seconds' },
  ]);
});
