// Slows down whoever guesses passwords: Keystone's lockout_failure_attempts and lockout_duration, shorter and growing.
import type { FailedLogins } from '../repositories/tokens.ts';

/** Mistyping is free. */
const freeFailures = 5;
/** The first lock; each failure after it doubles it. */
const shortestLockMs = 1_000;
/** Short, since whoever fails in a user's name keeps the user out as well; still only 2,880 guesses a day. */
const longestLockMs = 30_000;
/** After this long without a failure nothing is held against the user. */
const forgottenAfterMs = 900_000;

/** @param now milliseconds since the epoch */
export const isForgotten = ({ last_failed_at }: FailedLogins, now: number): boolean =>
  now - last_failed_at > forgottenAfterMs;

/** @param now milliseconds since the epoch */
export function isLocked({ failures, last_failed_at }: FailedLogins, now: number): boolean {
  if (failures < freeFailures) return false;
  const lockMs = Math.min(shortestLockMs * 2 ** (failures - freeFailures), longestLockMs);
  return now - last_failed_at < lockMs;
}
