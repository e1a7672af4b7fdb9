// When many amphorae fall silent at once, something else is broken than amphorae: then nothing is failed over.

export interface StormLimits {
  /** Share of silent machines, 0 to 1, above which nothing is failed over. */
  share: number;
  /** Up to this many silent machines the share does not count. */
  floor: number;
}

/** True when failing over would make matters worse. */
export const isStorm = (silent: number, all: number, limits: StormLimits): boolean =>
  silent > limits.floor && silent > all * limits.share;

/**
 * A machine that ended is gone for certain, whatever else is broken. It counts for a storm all the same until no other machine of its zone has
 * ended for a while: many that end at once are one outage, and not the moment to build as many anew.
 * @param quietMs without another end
 * @returns those for which nothing is to be waited any more
 */
export function goneForGood<S extends { ended_at?: number | null }>(ofZone: S[], now: number, quietMs: number): S[] {
  const ended = ofZone.filter((one) => one.ended_at != null);
  const last = ended.reduce((latest, { ended_at }) => Math.max(latest, ended_at!), 0);
  return now - last > quietMs ? ended : [];
}
