// L7 policies as HAProxy's ACLs and what is done with a request that matches them. Positions hold across actions, which Octavia's
// templates lose: HAProxy asks `use_backend` only after every `http-request`, so the first policy that matches is written into a
// variable, and nobody after it is asked.
import { type L7PolicyRow, takesEffect } from '../domain/l7-policy.ts';
import type { L7RuleRow } from '../domain/l7-rule.ts';
import type { ListenerRow } from '../domain/listener.ts';
import type { PoolRow } from '../domain/pool.ts';
import { type Argument, fetch, format, type Line, name, value, wordFor, words } from './config.ts';
import { backendName } from './frontend.ts';

/** A policy with its enabled rules. */
export interface PolicyParts {
  policy: L7PolicyRow;
  rules: L7RuleRow[];
  /** Of a redirect to a pool; undefined when that is disabled or gone. */
  pool: PoolRow | undefined;
}

const comparisons: Record<string, Argument[]> = {
  REGEX: words`-m reg`,
  STARTS_WITH: words`-m beg`,
  ENDS_WITH: words`-m end`,
  CONTAINS: words`-m sub`,
  EQUAL_TO: words`-m str`,
};

/** What is looked at: one of several has to be as the rule says. */
function fetched(rule: L7RuleRow): Argument[][] {
  const key = rule.key ?? '';
  switch (rule.type) {
    case 'HOST_NAME':
      // The name alone, and for rules that were written with a port in mind the header as it came.
      return [words`req.hdr(host),host_only -i`, words`req.hdr(host) -i`];
    case 'PATH':
      return [words`path`];
    case 'FILE_TYPE':
      // Octavia writes `path_end -m reg`, of which newer HAProxies say that the one word takes back the other.
      return [rule.compare_type === 'REGEX' ? words`path` : words`path -m end`];
    case 'HEADER':
      // Each value of a list, and the line as a whole, which may have commas that separate nothing.
      return [[fetch('req.hdr', key)], [fetch('req.fhdr', key)]];
    case 'COOKIE':
      return [[fetch('req.cook', key)]];
    case 'SSL_CONN_HAS_CERT':
      return [words`ssl_c_used`];
    case 'SSL_VERIFY_RESULT':
      return [words`ssl_c_verify`];
    case 'SSL_DN_FIELD':
      return [[fetch('ssl_c_s_dn', key)]];
  }
}

/** What follows the fetch: how to compare, and with what. `--` ends the flags, so that no value is taken for one. */
function compared(rule: L7RuleRow): Argument[] {
  if (rule.type === 'SSL_CONN_HAS_CERT') return [];
  if (rule.type === 'SSL_VERIFY_RESULT') return words`-m int eq ${Number(rule.value)}`;
  const isOwnMatch = rule.type === 'FILE_TYPE' && rule.compare_type !== 'REGEX';
  const how = isOwnMatch ? [] : wordFor(comparisons, rule.compare_type, rule.id);
  return [...how, ...words`-- ${value(unquoted(rule))}`];
}

/** The API takes values with spaces in double quotes only, which are no part of them. */
function unquoted({ compare_type, value: text }: L7RuleRow): string {
  const [, inside] = (compare_type !== 'REGEX' && /^"([^"]*)"$/.exec(text)) || [];
  return inside ?? text;
}

/** Lines of one ACL's name add up. */
const aclLines = (rule: L7RuleRow): Line[] =>
  fetched(rule).map((what) => ({
    origin: rule.id,
    arguments: [...words`acl ${name(rule.id)}`, ...what, ...compared(rule)],
  }));

/** All rules must hold, and no policy before may have matched. */
const condition = ({ rules }: PolicyParts): Argument[] => [
  ...words`if !{ var(txn.l7policy) -m found }`,
  ...rules.map((rule) => name(rule.id, rule.invert ? '!' : '')),
];

function action(parts: PolicyParts): Argument[] | undefined {
  const { policy } = parts;
  const code = policy.redirect_http_code ?? 302;
  switch (policy.action) {
    case 'REJECT':
      return [...words`http-request deny`, ...condition(parts)];
    case 'REDIRECT_TO_URL':
      return [
        ...words`http-request redirect code ${code} location ${format(policy.redirect_url ?? '')}`,
        ...condition(parts),
      ];
    case 'REDIRECT_PREFIX':
      return [
        ...words`http-request redirect code ${code} prefix ${format(policy.redirect_prefix ?? '')}`,
        ...condition(parts),
      ];
    case 'REDIRECT_TO_POOL':
      if (parts.pool === undefined) return undefined;
      return [...words`http-request set-var(txn.l7policy) ${name(policy.id, 'str(', ')')}`, ...condition(parts)];
  }
}

/** Lines of a frontend, before its default backend. @param parts by position */
export function l7Lines(listener: ListenerRow, parts: PolicyParts[]): Line[] {
  const asked = parts.filter(({ policy, rules }) => takesEffect(policy) && rules.length > 0);
  const acted = asked.flatMap((one): Line[] => {
    const line = action(one);
    return line === undefined ? [] : [...one.rules.flatMap(aclLines), { origin: one.policy.id, arguments: line }];
  });
  const sent = asked.flatMap(({ policy, pool }): Line[] => {
    if (policy.action !== 'REDIRECT_TO_POOL' || pool === undefined) return [];
    const line = words`use_backend ${backendName(pool, listener)} if { var(txn.l7policy) -m str ${name(policy.id)} }`;
    return [{ origin: policy.id, arguments: line }];
  });
  return [...acted, ...sent];
}
