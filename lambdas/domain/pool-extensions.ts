// What pools can beyond Octavia: docs/extensions.md has it for users.
import { boolean, integer, listOf, oneOf } from './attribute-types.ts';
import { invalid } from './errors.ts';
import { checkProtocols, part } from './extensions.ts';
import type { PoolRow } from './pool.ts';
import { type Created, resource } from './resource.ts';

/** What a request is sent again for: no answer that is worth the name, or one with that status. */
export const retriedFailures = [
  'CONNECTION_FAILURE',
  'EMPTY_RESPONSE',
  'INVALID_RESPONSE',
  'RESPONSE_TIMEOUT',
  '404',
  '408',
  '425',
  '500',
  '501',
  '502',
  '503',
  '504',
] as const;
export type RetriedFailure = (typeof retriedFailures)[number];

const retries = resource({
  root: 'retries',
  plural: 'retries',
  argument: 'pool_.pool',
  title: 'Retries',
  attributes: {
    /** After the first. */
    attempts: { type: integer(0, 10), on: 'create+update', default: 3 },
    failures: {
      type: listOf(oneOf(...retriedFailures)),
      on: 'create+update',
      default: ['CONNECTION_FAILURE', 'EMPTY_RESPONSE'],
    },
    /** Whether POST, PATCH and other methods that may not be repeated are sent again too. */
    non_idempotent: { type: boolean(), on: 'create+update', default: false },
  },
});
export type Retries = Created<typeof retries.attributes>;

export const poolExtensions = {
  retries: { type: part(retries), on: 'create+update', extension: true },
  /** Seconds. */
  slow_start: { type: integer(1, 3_600), on: 'create+update', extension: true },
} as const;

export type PoolExtensions = Created<typeof poolExtensions>;

const protocols: Record<keyof PoolExtensions, readonly PoolRow['protocol'][]> = {
  retries: ['HTTP'],
  slow_start: ['TCP', 'HTTP', 'HTTPS', 'PROXY', 'PROXYV2'],
};

/** @throws ApiError 400 */
export function checkPoolExtensions(one: Partial<PoolExtensions> & Pick<PoolRow, 'protocol'>): void {
  checkProtocols('pools', protocols, one);
  if (one.retries?.failures.length === 0) throw invalid('retries requires at least one of failures.');
}
