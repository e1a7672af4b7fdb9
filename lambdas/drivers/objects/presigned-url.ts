// URLs that carry their permission: AWS Signature Version 4 in the query, as S3 reads it. Here because the SDK's presigner comes
// with all of its S3 client, for one URL; and because one machine checks the same URLs itself.
import { createHash, createHmac, timingSafeEqual } from 'node:crypto';

export interface Credentials {
  accessKeyId: string;
  secretAccessKey: string;
  sessionToken?: string;
}

export interface Presigning {
  method: string;
  /** As far as the path, without a query. Only characters that need no escape. */
  url: URL;
  /** In lower case; they have to be sent exactly so. */
  headers: Record<string, string>;
  credentials: Credentials;
  region: string;
  /** Milliseconds since the epoch. */
  now: number;
  lifetimeSeconds: number;
}

const algorithm = 'AWS4-HMAC-SHA256';

export function presignedUrl({ method, url, headers, credentials, region, now, lifetimeSeconds }: Presigning): URL {
  const time = new Date(now).toISOString().replace(/[-:]|\.\d+/g, '');
  const scope = `${time.slice(0, 8)}/${region}/s3/aws4_request`;
  const all: Record<string, string> = { ...headers, host: url.host };
  const query: [string, string][] = [
    ['X-Amz-Algorithm', algorithm],
    ['X-Amz-Credential', `${credentials.accessKeyId}/${scope}`],
    ['X-Amz-Date', time],
    ['X-Amz-Expires', String(lifetimeSeconds)],
    ...(credentials.sessionToken ? [['X-Amz-Security-Token', credentials.sessionToken] as [string, string]] : []),
    ['X-Amz-SignedHeaders', Object.keys(all).sort().join(';')],
  ];
  const signature = signatureOf({ method, path: url.pathname, query, headers: all, time, scope }, credentials);
  const signed = new URL(url);
  signed.search = queryText([...query, ['X-Amz-Signature', signature]]);
  return signed;
}

interface Signing {
  method: string;
  path: string;
  query: [string, string][];
  headers: Record<string, string>;
  time: string;
  scope: string;
}

function signatureOf({ method, path, query, headers, time, scope }: Signing, { secretAccessKey }: Credentials): string {
  const names = Object.keys(headers).sort();
  const lines = names.map((name) => `${name}:${headers[name]!.trim()}\n`).join('');
  // The content is bound by a header, not here: S3 knows no other payload in a presigned URL.
  const request = [method, path, queryText(query.toSorted(byName)), lines, names.join(';'), 'UNSIGNED-PAYLOAD'].join(
    '\n',
  );
  const text = [algorithm, time, scope, createHash('sha256').update(request).digest('hex')].join('\n');
  const key = scope.split('/').reduce<string | Buffer>((parent, part) => hmac(parent, part), `AWS4${secretAccessKey}`);
  return hmac(key, text).toString('hex');
}

const byName = ([a]: [string, string], [b]: [string, string]): number => (a < b ? -1 : 1);
const hmac = (key: string | Buffer, text: string): Buffer => createHmac('sha256', key).update(text).digest();
const escaped = (text: string): string =>
  encodeURIComponent(text).replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);
const queryText = (query: [string, string][]): string =>
  query.map(([name, text]) => `${escaped(name)}=${escaped(text)}`).join('&');

export interface PresignedRequest {
  method: string;
  /** Path and query. */
  target: string;
  headers: Record<string, string | string[] | undefined>;
}

/** What S3 does with such a URL. @returns why it is refused, or undefined */
export function refusalOf(request: PresignedRequest, credentials: Credentials, now: number): string | undefined {
  const url = new URL(request.target, 'http://localhost');
  const query = [...url.searchParams].filter(([name]) => name !== 'X-Amz-Signature');
  const of = (name: string) => url.searchParams.get(name) ?? '';
  const [accessKeyId, ...scope] = of('X-Amz-Credential').split('/');
  const names = of('X-Amz-SignedHeaders').split(';');
  const headers = Object.fromEntries(names.map((name) => [name, String(request.headers[name] ?? '')]));
  const time = of('X-Amz-Date');
  const signing = { method: request.method, path: url.pathname, query, headers, time, scope: scope.join('/') };
  const isSigned = isSame(signatureOf(signing, credentials), of('X-Amz-Signature'));
  if (accessKeyId !== credentials.accessKeyId || !names.includes('host') || !isSigned) return 'SignatureDoesNotMatch';
  const begun = Date.parse(time.replace(/^(....)(..)(..)T(..)(..)(..)Z$/, '$1-$2-$3T$4:$5:$6Z'));
  // Not `now > end`: a date that is none must not last for ever.
  return now < begun + Number(of('X-Amz-Expires')) * 1_000 ? undefined : 'AccessDenied: Request has expired';
}

const isSame = (a: string, b: string): boolean =>
  a.length === b.length && timingSafeEqual(Buffer.from(a), Buffer.from(b));
