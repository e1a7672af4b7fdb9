// Requests sent to another member when the first one fails.
import type { PoolRow } from '../domain/pool.ts';
import type { RetriedFailure } from '../domain/pool-extensions.ts';
import { type Argument, wordFor, words } from './config.ts';
import type { Mode } from './frontend.ts';

const failureWords: Record<RetriedFailure, Argument[]> = {
  CONNECTION_FAILURE: words`conn-failure`,
  EMPTY_RESPONSE: words`empty-response`,
  INVALID_RESPONSE: words`junk-response`,
  RESPONSE_TIMEOUT: words`response-timeout`,
  404: words`404`,
  408: words`408`,
  425: words`425`,
  500: words`500`,
  501: words`501`,
  502: words`502`,
  503: words`503`,
  504: words`504`,
};

/** Nothing of these reached a member when it could not be connected to, so that any method may be sent again then. */
const isIdempotent = words`{ method GET HEAD OPTIONS TRACE PUT DELETE }`;

export function retryLines({ id, retries }: PoolRow, mode: Mode): Argument[][] {
  if (!retries || mode !== 'http') return [];
  const failures = [...new Set(retries.failures)].sort();
  return [
    words`retries ${retries.attempts}`,
    // Without the number only the last try goes to another member.
    words`option redispatch 1`,
    [...words`retry-on`, ...failures.flatMap((failure) => wordFor(failureWords, failure, id))],
    ...(retries.non_idempotent ? [] : [[...words`http-request disable-l7-retry unless`, ...isIdempotent]]),
  ];
}
