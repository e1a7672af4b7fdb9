// keepalived's configuration as a value, before it is text: what Octavia keeps in the jinja templates of lvs. Keywords and words are
// closed sets, so that no text of a user's becomes one; everything else is an argument of a kind, and the printer checks it.

export type Keyword =
  | 'global_defs'
  | 'enable_script_security'
  | 'virtual_server_group'
  | 'virtual_server'
  | 'lb_algo'
  | 'lb_kind'
  | 'protocol'
  | 'persistence_timeout'
  | 'persistence_granularity'
  | 'delay_loop'
  | 'delay_before_retry'
  | 'retry'
  | 'sorry_server'
  | 'real_server'
  | 'weight'
  | 'uthreshold'
  | 'UDP_CHECK'
  | 'TCP_CHECK'
  | 'HTTP_GET'
  | 'connect_ip'
  | 'connect_port'
  | 'connect_timeout'
  | 'http_protocol'
  | 'virtualhost'
  | 'url'
  | 'path'
  | 'status_code'
  /** What follows is for the agent: keepalived takes it for a comment. */
  | '#';

export type Word =
  | 'group'
  | 'wrr'
  | 'lc'
  | 'sh'
  | 'NAT'
  | 'UDP'
  | 'SCTP'
  | 'listener'
  | 'pool'
  | 'member'
  | 'monitored'
  | 'disabled'
  | 'backup'
  | '1.0'
  | '1.1';

export type Argument =
  | { kind: 'word'; text: Word }
  | { kind: 'number'; value: number }
  /** An id, with an ending of ours. */
  | { kind: 'name'; text: string; after: string }
  | { kind: 'address'; text: string }
  | { kind: 'host'; text: string }
  /** Of a URL. */
  | { kind: 'path'; text: string }
  /** Statuses of HTTP or ranges of them. */
  | { kind: 'codes'; text: string };

export interface Statement {
  /** Id of the resource that the line stands for; null where it is nobody's. */
  origin: string | null;
  /** None for the bare lines of an address and a port in a group. */
  keyword: Keyword | null;
  arguments: Argument[];
  block?: Statement[];
}

export const word = (text: Word): Argument => ({ kind: 'word', text });
export const number = (value: number): Argument => ({ kind: 'number', value });
export const name = (text: string, after = ''): Argument => ({ kind: 'name', text, after });
export const address = (text: string): Argument => ({ kind: 'address', text });
export const host = (text: string): Argument => ({ kind: 'host', text });
export const path = (text: string): Argument => ({ kind: 'path', text });
export const codes = (text: string): Argument => ({ kind: 'codes', text });

export const statement = (
  origin: string | null,
  keyword: Keyword | null,
  given: Argument[] = [],
  block?: Statement[],
): Statement => ({ origin, keyword, arguments: given, ...(block ? { block } : {}) });
