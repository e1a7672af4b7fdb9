// How often clients may ask, or connect, before they are turned away.
import { integer, oneOf } from './attribute-types.ts';
import { invalid } from './errors.ts';
import { headerName } from './header-changes.ts';
import { type Created, resource } from './resource.ts';

const atMost = () => integer(1, 1_000_000);
/** Seconds, up to a day. */
const period = () => integer(1, 86_400);

export const rateLimit = resource({
  root: 'rate_limit',
  plural: 'rate_limit',
  argument: 'listener_.listener',
  title: 'Rate limit',
  attributes: {
    requests: { type: atMost(), on: 'create+update', required: true },
    period: { type: period(), on: 'create+update', required: true },
    /** Whose requests are counted together: those of an address, or those with the same value of a header. */
    type: { type: oneOf('SOURCE_IP', 'HEADER'), on: 'create+update', default: 'SOURCE_IP' },
    /** The header's name, as the key of an L7 rule of type HEADER. */
    key: { type: headerName(), on: 'create+update' },
  },
});
export type RateLimit = Created<typeof rateLimit.attributes>;

export const connectionRateLimit = resource({
  root: 'connection_rate_limit',
  plural: 'connection_rate_limit',
  argument: 'listener_.listener',
  title: 'Connection rate limit',
  attributes: {
    connections: { type: atMost(), on: 'create+update', required: true },
    period: { type: period(), on: 'create+update', required: true },
  },
});
export type ConnectionRateLimit = Created<typeof connectionRateLimit.attributes>;

/** @throws ApiError 400 */
export function checkRateLimit(limit: RateLimit | null | undefined): void {
  if (!limit) return;
  if (limit.type === 'HEADER' && limit.key === null) throw invalid('rate_limit of type HEADER requires a key.');
  if (limit.type !== 'HEADER' && limit.key !== null) throw invalid('key is only for a rate_limit of type HEADER.');
}
