// Certificates, authorities and revocation lists as the files that HAProxy reads. The text names each by a slot, which stays when
// the contents change, and says in a manifest of comments what lies in which slot: the digest of the text covers it all, and no
// private key stands in it. Octavia names files by what is in them, and so reloads for each new certificate.
import { createHash } from 'node:crypto';
import type { ListenerRow } from '../domain/listener.ts';
import type { PoolRow } from '../domain/pool.ts';
import { type Argument, type Line, name, Unrenderable, words } from './config.ts';

/** Contents of a file, known by the lowercase hex SHA-256 of it. */
export interface PemFile {
  digest: string;
  contents: string;
}

/** A certificate with what it takes to serve it, in PEM. */
export interface ServedPem {
  certificate: string;
  private_key: string;
  intermediates: string[];
}

/** What certificates of the other side are checked against, in PEM. */
export interface AuthorityPem {
  certificate: string;
  revocation_list: string | null;
}

/** Where the references of one listener or pool lead. */
export interface ReadCertificates {
  served: ReadonlyMap<string, ServedPem>;
  authority: AuthorityPem | null;
}

/** By id of the listener or pool; an Error, with a text for the user, where a reference leads nowhere. */
export type Certificates = ReadonlyMap<string, ReadCertificates | Error>;

export interface Files {
  manifest: Line[];
  files: PemFile[];
}

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

/** A reference has characters that no file's name may have. */
const sniSlot = (listener: ListenerRow, reference: string) =>
  `${listener.id}.sni-${sha256(reference).slice(0, 16)}.pem`;

/** A bind line takes few words, and only a list can be changed while HAProxy runs. Its first certificate is served to who asks for no other. */
export const listSlot = ({ id }: ListenerRow): Argument => name(id, "'{{DIRECTORY}}/slots/", ".list'");
export const clientCertificateSlot = ({ id }: PoolRow): Argument => name(id, '', '.client.pem');
export const authoritySlot = ({ id }: ListenerRow | PoolRow): Argument => name(id, '', '.ca');
export const revocationSlot = ({ id }: ListenerRow | PoolRow): Argument => name(id, '', '.crl');

const pemBlock = /-----BEGIN [^-]+-----[\s\S]*?-----END [^-]+-----/g;

/** Nothing but PEM, and no empty line: that is what ends a text told to a running HAProxy. */
const pemOf = (...texts: string[]): string =>
  texts
    .flatMap((text) => text.match(pemBlock) ?? [])
    .flatMap((block) => block.split(/\r?\n/))
    .map((line) => line.trim())
    .filter((line) => line !== '')
    .map((line) => `${line}\n`)
    .join('');

const bundleOf = ({ certificate, intermediates, private_key }: ServedPem): string =>
  pemOf(certificate, ...intermediates, private_key);

type Contents = [slot: string, contents: string];

function readOf(certificates: Certificates, id: string): ReadCertificates {
  const read = certificates.get(id);
  if (read === undefined) throw new Unrenderable(id, 'its certificates were not read');
  if (read instanceof Error) throw new Unrenderable(id, read.message, { cause: read });
  return read;
}

const authorityContents = (id: string, { authority }: ReadCertificates): Contents[] => [
  ...(authority === null ? [] : [[`${id}.ca`, pemOf(authority.certificate)] satisfies Contents]),
  ...(authority?.revocation_list ? [[`${id}.crl`, pemOf(authority.revocation_list)] satisfies Contents] : []),
];

function listenerContents(listener: ListenerRow, certificates: Certificates): Contents[] {
  const read = readOf(certificates, listener.id);
  const bundle = (reference: string): string => {
    const served = read.served.get(reference);
    if (served === undefined) throw new Unrenderable(listener.id, `${reference} was not read`);
    return bundleOf(served);
  };
  const byDefault = listener.default_tls_container_ref;
  const served: Contents[] = [
    ...(byDefault === null ? [] : [[`${listener.id}.default.pem`, bundle(byDefault)] satisfies Contents]),
    ...[...new Set(listener.sni_container_refs)].map((one): Contents => [sniSlot(listener, one), bundle(one)]),
  ];
  const list: Contents = [`${listener.id}.list`, served.map(([slot]) => `${slot}\n`).join('')];
  return [list, ...served, ...authorityContents(listener.id, read)];
}

function poolContents(pool: PoolRow, certificates: Certificates): Contents[] {
  if (pool.tls_container_ref === null && pool.ca_tls_container_ref === null) return [];
  const read = readOf(certificates, pool.id);
  const own = pool.tls_container_ref === null ? undefined : read.served.get(pool.tls_container_ref);
  const client: Contents[] = own === undefined ? [] : [[`${pool.id}.client.pem`, bundleOf(own)]];
  return [...client, ...authorityContents(pool.id, read)];
}

/**
 * @param listeners those that end TLS, of which all are rendered
 * @param pools those that speak TLS to members
 * @throws Unrenderable naming the resource whose certificates cannot be read
 */
export function filesOf(listeners: ListenerRow[], pools: PoolRow[], certificates: Certificates): Files {
  const contents = [
    ...listeners.map((row) => [row.id, listenerContents(row, certificates)] as const),
    ...pools.map((row) => [row.id, poolContents(row, certificates)] as const),
  ];
  const files = new Map<string, PemFile>();
  const manifest = contents.flatMap(([origin, slots]) =>
    slots.map(([slot, text]): Line => {
      const digest = sha256(text);
      files.set(digest, { digest, contents: text });
      return { origin, arguments: words`# file ${name(slot)} ${name(digest)}` };
    }),
  );
  return { manifest, files: [...files.values()] };
}
