import { expect, it } from 'vitest';
import { emfMetrics } from '../../lambdas/runtime/emf-metrics.ts';
import { TurnableClock } from '../support/services.ts';

it('readings are one line of the log, in the form CloudWatch takes metrics from', () => {
  const lines: string[] = [];
  const clock = new TurnableClock();
  const metrics = emfMetrics({ tableName: 'octavia-one', clock, write: (line) => lines.push(line) });
  metrics.put({ StormGuardedZones: 1 }, { zones: ['zone-a'], silent: 4 });
  expect(lines).toHaveLength(1);
  expect(lines[0]).toMatch(/^\{[^\n]*\}\n$/);
  expect(JSON.parse(lines[0]!)).toEqual({
    _aws: {
      Timestamp: clock.now(),
      CloudWatchMetrics: [
        {
          Namespace: 'Octavia',
          Dimensions: [['Table']],
          Metrics: [{ Name: 'StormGuardedZones', Unit: 'Count' }],
        },
      ],
    },
    Table: 'octavia-one',
    StormGuardedZones: 1,
    zones: ['zone-a'],
    silent: 4,
  });
});
