// Headers that a listener adds to requests on their way to members.
import type { ListenerRow } from '../domain/listener.ts';
import type { PoolRow } from '../domain/pool.ts';
import { type Argument, words } from './config.ts';

/** Members of a PROXY pool learn the client's address otherwise, so Octavia keeps these to HTTP pools. */
const ofHttpPools: Record<string, Argument[]> = {
  'X-Forwarded-For': words`option forwardfor`,
  'X-Forwarded-Port': words`http-request set-header X-Forwarded-Port %[dst_port]`,
};

/** Octavia accepts these and never sends them. */
const ofAllPools: Record<string, Argument[]> = {
  'X-Forwarded-IP': words`http-request set-header X-Forwarded-IP %[src]`,
  'X-Client-IP': words`http-request set-header X-Client-IP %[src]`,
  'X-Real-IP': words`http-request set-header X-Real-IP %[src]`,
};

const protocolHeader = ({ protocol }: ListenerRow): Record<string, Argument[]> => ({
  'X-Forwarded-Proto':
    protocol === 'TERMINATED_HTTPS'
      ? words`http-request set-header X-Forwarded-Proto https`
      : words`http-request set-header X-Forwarded-Proto http`,
});

/** Of the client's certificate. Set even when there is none, so that no client can claim to have one. */
const ofTls: Record<string, Argument[]> = {
  'X-SSL-Client-Verify': words`http-request set-header X-SSL-Client-Verify %[ssl_c_verify]`,
  'X-SSL-Client-Has-Cert': words`http-request set-header X-SSL-Client-Has-Cert %[ssl_c_used]`,
  'X-SSL-Client-DN': words`http-request set-header X-SSL-Client-DN %{+Q}[ssl_c_s_dn]`,
  'X-SSL-Client-CN': words`http-request set-header X-SSL-Client-CN %{+Q}[ssl_c_s_dn(cn)]`,
  'X-SSL-Issuer': words`http-request set-header X-SSL-Issuer %{+Q}[ssl_c_i_dn]`,
  'X-SSL-Client-SHA1': words`http-request set-header X-SSL-Client-SHA1 %{+Q}[ssl_c_sha1,hex]`,
  'X-SSL-Client-Not-Before': words`http-request set-header X-SSL-Client-Not-Before %{+Q}[ssl_c_notbefore]`,
  'X-SSL-Client-Not-After': words`http-request set-header X-SSL-Client-Not-After %{+Q}[ssl_c_notafter]`,
};

/** In one order, whatever order they were given in: amphorae compare texts. */
export function headerLines(listener: ListenerRow, { protocol }: PoolRow): Argument[][] {
  const { insert_headers } = listener;
  const known = {
    ...(protocol === 'HTTP' ? ofHttpPools : {}),
    ...protocolHeader(listener),
    ...ofAllPools,
    ...(listener.protocol === 'TERMINATED_HTTPS' ? ofTls : {}),
  };
  const isWished = (header: string) => insert_headers[header]?.toLowerCase() === 'true';
  return Object.entries(known)
    .filter(([header]) => isWished(header))
    .map(([, line]) => line);
}
