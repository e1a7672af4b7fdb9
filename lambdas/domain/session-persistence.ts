// Session persistence: how a pool keeps clients at the member they had before.
import { integer, ipAddress, oneOf, pattern } from './attribute-types.ts';
import { invalid } from './errors.ts';
import { type Created, parseCreate, parseUpdate, resource } from './resource.ts';

export const persistence = resource({
  root: 'session_persistence',
  plural: 'session_persistence',
  argument: 'pool_.pool',
  title: 'Session Persistence',
  attributes: {
    type: { type: oneOf('SOURCE_IP', 'HTTP_COOKIE', 'APP_COOKIE'), on: 'create+update', required: true },
    cookie_name: { type: pattern(/^[^\s,;\\]+$/, 255), on: 'create+update' },
    /** Seconds. */
    persistence_timeout: { type: integer(-2_147_483_648, 2_147_483_647), on: 'create+update' },
    persistence_granularity: { type: ipAddress(), on: 'create+update' },
  },
});

export type SessionPersistence = Created<typeof persistence.attributes>;

/** Characters that would end a cookie's name where it is sent (RFC 6265). */
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
const notInCookieNames = /[\x00-\x20"(),/:-@[-\]{}\x7f]/;

const isOfDatagrams = (protocol: string): boolean => protocol === 'UDP' || protocol === 'SCTP';

function checkForDatagrams({ type, cookie_name }: SessionPersistence): void {
  if (type === 'SOURCE_IP' && cookie_name !== null) {
    throw invalid(
      'session_persistence SOURCE_IP type for UDP and SCTP protocols only accepts: type, persistence_timeout, persistence_granularity.',
    );
  }
  if (cookie_name !== null) throw invalid('Cookie names are not supported for UDP/SCTP pools.');
  if (type !== 'SOURCE_IP') {
    throw invalid(`Session persistence of type ${type} is not supported for UDP/SCTP protocol pools.`);
  }
}

function checkCookie({ type, cookie_name }: SessionPersistence): void {
  if (cookie_name !== null && type !== 'APP_COOKIE') {
    throw invalid('Field "cookie_name" can only be specified with session persistence of type "APP_COOKIE".');
  }
  if (cookie_name !== null && notInCookieNames.test(cookie_name)) throw invalid('Supplied "cookie_name" is invalid.');
  if (type === 'APP_COOKIE' && cookie_name === null) {
    throw invalid('Field "cookie_name" must be specified when using the "APP_COOKIE" session persistence type.');
  }
}

function checked(wanted: SessionPersistence, protocol: string): SessionPersistence {
  if (isOfDatagrams(protocol)) checkForDatagrams(wanted);
  // Zero counts as not given, as in Octavia.
  else if (wanted.persistence_timeout || wanted.persistence_granularity) {
    throw invalid('persistence_timeout and persistence_granularity is only for UDP and SCTP protocol pools.');
  }
  checkCookie(wanted);
  return wanted;
}

/** Of a new pool. @throws ApiError 400 */
export const settledPersistence = (given: unknown, protocol: string): SessionPersistence | null =>
  given === null ? null : checked(parseCreate(persistence, given), protocol);

/**
 * Of a pool that is changed: null or nothing in it takes it away; its type may be left out, everything else is replaced.
 * @throws ApiError 400
 */
export function changedPersistence(
  given: Record<string, unknown> | null,
  before: SessionPersistence | null,
  protocol: string,
): SessionPersistence | null {
  if (given === null || Object.keys(given).length === 0) return null;
  const change = parseUpdate(persistence, given);
  const type = change.type ?? before?.type;
  if (type === undefined) throw invalid('Invalid session_persistence provided.');
  const none = { cookie_name: null, persistence_timeout: null, persistence_granularity: null };
  return checked({ ...none, ...change, type }, protocol);
}
