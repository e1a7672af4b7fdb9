// EC2's Query protocol: parameters as `NetworkInterface.1.SubnetId`, answers as XML in which each list has items.

export type Value = string | Value[] | { [name: string]: Value };
export type Parameters = { [name: string]: Value };

/** Numbers from 1 make lists. */
export function parseQuery(body: string): Parameters {
  const tree: Parameters = {};
  for (const [path, text] of new URLSearchParams(body)) {
    const names = path.split('.');
    let at: Record<string, Value> = tree;
    for (const name of names.slice(0, -1)) {
      at[name] ??= {};
      at = at[name] as Record<string, Value>;
    }
    at[names.at(-1)!] = text;
  }
  return listed(tree) as Parameters;
}

function listed(value: Value): Value {
  if (typeof value === 'string' || Array.isArray(value)) return value;
  const entries = Object.entries(value);
  if (entries.length > 0 && entries.every(([name]) => /^\d+$/.test(name)))
    return entries.toSorted(([a], [b]) => Number(a) - Number(b)).map(([, one]) => listed(one));
  return Object.fromEntries(entries.map(([name, one]) => [name, listed(one)]));
}

const escaped = (text: string): string =>
  text.replace(/[&<>"]/g, (char) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' })[char]!);

function printed(name: string, value: unknown): string {
  if (value === undefined || value === null) return '';
  if (Array.isArray(value)) return `<${name}>${value.map((one) => printed('item', one)).join('')}</${name}>`;
  if (typeof value !== 'object') return `<${name}>${escaped(String(value))}</${name}>`;
  const inner = Object.entries(value).map(([key, one]) => printed(key, one));
  return `<${name}>${inner.join('')}</${name}>`;
}

export const answerOf = (action: string, requestId: string, answer: object): string =>
  printed(`${action}Response`, { requestId, ...answer });

export const faultOf = (requestId: string, Code: string, Message: string): string =>
  `<Response><Errors>${printed('Error', { Code, Message })}</Errors>${printed('RequestID', requestId)}</Response>`;
