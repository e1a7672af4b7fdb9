// L7 rules and policies as a user reads them, evaluated without HAProxy: what real requests are compared with.
export interface Rule {
  type: string;
  compare_type: string;
  value: string;
  key?: string | null;
  invert?: boolean;
}

export interface L7Request {
  path: string;
  /** Names in lower case. */
  headers: Record<string, string>;
}

const compare: Record<string, (found: string, value: string) => boolean> = {
  REGEX: (found, value) => new RegExp(value).test(found),
  STARTS_WITH: (found, value) => found.startsWith(value),
  ENDS_WITH: (found, value) => found.endsWith(value),
  CONTAINS: (found, value) => found.includes(value),
  EQUAL_TO: (found, value) => found === value,
};

const cookiesOf = ({ headers }: L7Request): [string, string][] =>
  (headers['cookie'] ?? '')
    .split(';')
    .map((pair) => pair.trim().split('='))
    .map(([name = '', ...value]) => [name, value.join('=')]);

/** Everything in the request that may be as the rule says. */
function candidates(rule: Rule, request: L7Request): string[] {
  const { path, headers } = request;
  const key = rule.key ?? '';
  if (rule.type === 'HOST_NAME') {
    const host = (headers['host'] ?? '').toLowerCase();
    return [host, host.replace(/:\d+$/, '')];
  }
  if (rule.type === 'COOKIE') {
    return cookiesOf(request)
      .filter(([name]) => name === key)
      .map(([, value]) => value);
  }
  if (rule.type === 'HEADER') {
    const header = headers[key.toLowerCase()];
    return header === undefined ? [] : [header, ...header.split(',').map((one) => one.trim())];
  }
  return [path.split('?')[0]!];
}

export function matches(rule: Rule, request: L7Request): boolean {
  const isFileType = rule.type === 'FILE_TYPE' && rule.compare_type === 'EQUAL_TO';
  const how = compare[isFileType ? 'ENDS_WITH' : rule.compare_type]!;
  const quoted = rule.compare_type === 'REGEX' ? null : /^"(.*)"$/.exec(rule.value);
  const value = quoted?.[1] ?? rule.value;
  const isHost = rule.type === 'HOST_NAME';
  const isFound = candidates(rule, request).some((found) => how(found, isHost ? value.toLowerCase() : value));
  return isFound !== (rule.invert ?? false);
}

export interface Policy {
  action: string;
  position: number;
  admin_state_up: boolean;
  rules: Rule[];
}

/** The first one, by position, whose rules all hold; undefined leaves the request to the default pool. */
export const chosen = <P extends Policy>(policies: P[], request: L7Request): P | undefined =>
  policies
    .toSorted((a, b) => a.position - b.position)
    .find(
      ({ admin_state_up, rules }) =>
        admin_state_up && rules.length > 0 && rules.every((rule) => matches(rule, request)),
    );
