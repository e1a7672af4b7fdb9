// What listeners can beyond Octavia: docs/extensions.md has it for users.
import { boolean, integer, listOf, pattern } from './attribute-types.ts';
import { checkErrorPages, errorPages } from './error-pages.ts';
import { invalid } from './errors.ts';
import { checkProtocols, part } from './extensions.ts';
import { checkHeaderChanges, headerChanges } from './header-changes.ts';
import { cidr } from './ip-addresses.ts';
import type { ListenerRow } from './listener.ts';
import { checkRateLimit, connectionRateLimit, rateLimit } from './rate-limits.ts';
import { type Created, resource } from './resource.ts';

/** 24 days, as HAProxy's timeouts allow. */
const timeoutMs = () => integer(1, 24 * 24 * 3_600_000);

const mediaType = () => pattern(/^[\w.+-]+\/[\w.+-]+$/, 64, 'Value should be a content type, such as text/html');

const compression = resource({
  root: 'compression',
  plural: 'compression',
  argument: 'listener_.listener',
  title: 'Compression',
  attributes: {
    content_types: {
      type: listOf(mediaType()),
      on: 'create+update',
      default: [
        'text/html',
        'text/css',
        'text/plain',
        'text/javascript',
        'application/javascript',
        'application/json',
        'application/xml',
        'image/svg+xml',
      ],
    },
  },
});

const on = 'create+update';
const extension = true;

export const listenerExtensions = {
  rate_limit: { type: part(rateLimit), on, extension },
  connection_rate_limit: { type: part(connectionRateLimit), on, extension },
  compression: { type: part(compression), on, extension },
  request_headers: { type: part(headerChanges('request_headers')), on, extension },
  response_headers: { type: part(headerChanges('response_headers')), on, extension },
  error_pages: { type: errorPages(), on, extension },
  http2: { type: boolean(), on, extension },
  timeout_tunnel: { type: timeoutMs(), on, extension },
  timeout_client_keep_alive: { type: timeoutMs(), on, extension },
  timeout_client_request: { type: timeoutMs(), on, extension },
  denied_cidrs: { type: listOf(cidr()), on, extension },
} as const;

export type ListenerExtensions = Created<typeof listenerExtensions>;

const ofRequests = ['HTTP', 'TERMINATED_HTTPS'] as const;
const ofConnections = ['TCP', 'HTTP', 'HTTPS', 'TERMINATED_HTTPS'] as const;
const protocols: Record<keyof ListenerExtensions, readonly ListenerRow['protocol'][]> = {
  rate_limit: ofRequests,
  connection_rate_limit: ofConnections,
  compression: ofRequests,
  request_headers: ofRequests,
  response_headers: ofRequests,
  error_pages: ofRequests,
  // On TERMINATED_HTTPS clients and listener agree by alpn_protocols.
  http2: ['HTTP'],
  timeout_tunnel: ofConnections,
  timeout_client_keep_alive: ofRequests,
  timeout_client_request: ofRequests,
  denied_cidrs: ofConnections,
};

/** HAProxy takes 64 words a line. */
const contentTypesAtMost = 32;
/** As the bytes of error pages: a row has an end. */
const cidrsAtMost = 500;

/** @throws ApiError 400 */
export function checkListenerExtensions(one: Partial<ListenerExtensions> & Pick<ListenerRow, 'protocol'>): void {
  checkProtocols('listeners', protocols, one);
  checkRateLimit(one.rate_limit);
  checkHeaderChanges('request_headers', one.request_headers);
  checkHeaderChanges('response_headers', one.response_headers);
  checkErrorPages(one.error_pages);
  const types = one.compression?.content_types ?? ['any'];
  if (types.length === 0) throw invalid('compression requires at least one of content_types.');
  if (types.length > contentTypesAtMost) {
    throw invalid(`compression may have ${contentTypesAtMost} content_types at most.`);
  }
  if ((one.denied_cidrs ?? []).length > cidrsAtMost) throw invalid(`denied_cidrs may have ${cidrsAtMost} at most.`);
}
