// What handlers measure of the deployment as a whole, where Ceilometer looks in Octavia. Each name is a metric that is paid for.

export interface Readings {
  /** Zones in which the storm guard holds failovers back. */
  StormGuardedZones: number;
}

export interface Metrics {
  /** @param detail told beside the readings, and no metric of its own */
  put(readings: Readings, detail?: Record<string, unknown>): void;
}

export const silentMetrics: Metrics = { put() {} };
