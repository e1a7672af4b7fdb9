// What handlers measure of the deployment as a whole, where Ceilometer looks in Octavia.

export interface HealthReadings {
  /** Amphorae there are to be heard of, and how many of them are silent or known to have ended. */
  Amphorae: number;
  SilentAmphorae: number;
  /** Zones in which the storm guard holds failovers back. */
  StormGuardedZones: number;
}

export interface Metrics {
  /** @param detail told beside the readings, such as where they come from; no metric of its own */
  put(readings: HealthReadings, detail?: Record<string, unknown>): void;
}

export const silentMetrics: Metrics = { put() {} };
