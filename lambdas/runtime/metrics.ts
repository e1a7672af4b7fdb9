// What handlers measure of the deployment as a whole, where Ceilometer looks in Octavia. Each name is a metric that is paid for.

export interface Readings {
  /** Zones in which the storm guard holds failovers back. */
  StormGuardedZones: number;
  /** Since what waits longest was asked for. */
  OldestPendingSeconds: number;
  /** From the request of a failover, whoever made it, to its end. */
  FailoverSeconds: number;
}
export type ReadingName = keyof Readings;

export interface Metrics {
  /** @param detail told beside the readings, such as where they come from; no metric of its own */
  put(readings: Partial<Readings>, detail?: Record<string, string>): Promise<void>;
}

export const silentMetrics: Metrics = { put: async () => {} };
