// Powertools' metrics as ours: a line of the function's log each, which CloudWatch takes them out of.
import { MetricUnit, Metrics as PowertoolsMetrics } from '@aws-lambda-powertools/metrics';
import type { Metrics } from './metrics.ts';

export const metricNamespace = 'Octavia';

const unitOf = (name: string) => (name.endsWith('Seconds') ? MetricUnit.Seconds : MetricUnit.Count);

/** @param tableName tells deployments of one account apart: it is the service that Powertools puts beside each metric */
export function powertoolsMetrics(tableName: string): Metrics {
  return {
    async put(readings, detail = {}) {
      const metrics = new PowertoolsMetrics({ namespace: metricNamespace, serviceName: tableName });
      for (const [name, value] of Object.entries(readings)) metrics.addMetric(name, unitOf(name), value);
      for (const [name, value] of Object.entries(detail)) metrics.addMetadata(name, value);
      metrics.publishStoredMetrics();
    },
  };
}
