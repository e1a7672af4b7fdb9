// Amphorae of a pair that tell of each other's silence. One's word alone is nothing, as the fault may lie between the two; together with
// a heartbeat that is overdue it is enough.

export interface Suspicion {
  amphora_id: string;
  /** Milliseconds since the epoch, the reporting amphora's clock. */
  silent_since: number;
}

interface Sighting {
  amphora_id: string;
  load_balancer_id: string | null;
  suspect?: Suspicion | null;
}

/** Of heartbeats: one that is late by half an interval is overdue. */
const overdueIntervals = 1.5;

/**
 * How long an amphora may be silent.
 * @param silenceOf milliseconds
 */
export function limitsOf<S extends Sighting>(
  sightings: S[],
  silenceOf: (one: S) => number,
  { interval_ms, timeout_ms }: { interval_ms: number; timeout_ms: number },
): (one: S) => number {
  const shortMs = Math.min(overdueIntervals * interval_ms, timeout_ms);
  // Who is not heard itself has no say.
  const heard = sightings.filter((one) => one.load_balancer_id !== null && silenceOf(one) <= shortMs);
  const accused = new Set(heard.map((one) => `${one.suspect?.amphora_id}/${one.load_balancer_id}`));
  return (one) => (accused.has(`${one.amphora_id}/${one.load_balancer_id}`) ? shortMs : timeout_ms);
}

/** Whether the heartbeats of a suspected amphora are overdue. */
export const isOverdue = (last_seen: number, now: number, interval_ms: number): boolean =>
  now - last_seen > overdueIntervals * interval_ms;
