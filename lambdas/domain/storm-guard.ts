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
