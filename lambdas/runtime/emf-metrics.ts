// Metrics as CloudWatch takes them out of a function's log: a line of JSON in the embedded metric format, with nothing in front of it.
import type { Clock } from './clock.ts';
import type { Metrics } from './metrics.ts';

export interface EmfMetricsOptions {
  /** Tells deployments of one account apart. */
  tableName: string;
  clock: Clock;
  write?: (line: string) => void;
}

const namespace = 'Octavia';
const dimension = 'Table';

/** Not by the console, which puts the time and a level before what it is told. */
const toLog = (line: string): void => void process.stdout.write(line);

export function emfMetrics({ tableName, clock, write = toLog }: EmfMetricsOptions): Metrics {
  return {
    put(readings, detail = {}) {
      const metrics = Object.keys(readings).map((Name) => ({ Name, Unit: 'Count' }));
      const directive = { Namespace: namespace, Dimensions: [[dimension]], Metrics: metrics };
      const told = { _aws: { Timestamp: clock.now(), CloudWatchMetrics: [directive] } };
      write(`${JSON.stringify({ ...detail, ...told, [dimension]: tableName, ...readings })}\n`);
    },
  };
}
