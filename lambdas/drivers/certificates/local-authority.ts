// Octavia's local certificate generator: an authority of our own, kept in the table, its keys sealed. Towards its end it makes a
// successor: first both are trusted, then the successor signs, and when nobody needs the older one any more it is forgotten.
import { X509Certificate } from 'node:crypto';
import { DriverError } from '../../domain/errors.ts';
import { timestamp } from '../../domain/time.ts';
import type { Table } from '../table/table.ts';
import { type AuthorityRecord, AuthorityRecords, authorityId, type SealedCertificate } from './authority-record.ts';
import {
  type AuthorityPhase,
  type CertificateAuthority,
  clientName,
  type IssuedCertificate,
  type Trust,
} from './certificate-authority.ts';
import { aesSealer } from './sealer.ts';
import { type KeyedCertificate, makeCertificate } from './x509.ts';

const dayMs = 86_400_000;
/** Certificates start in the past, as clocks of amphorae may be behind. */
const clockSkewMs = 300_000;
/** The client certificate is renewed in the last quarter of its life: no amphora need be told, as it trusts the name. */
const renewedShare = 1 / 4;

export interface Lifetimes {
  /** Of server and client certificates. */
  certificateMs: number;
  authorityMs: number;
  /** A successor is made that long before the end. */
  renewalMs: number;
  /** Both are trusted for so long before the successor signs, and at least for as long until the older one goes. */
  overlapMs: number;
}

/** The successor is there before a certificate would have to end with the older authority. */
export const defaultLifetimes: Lifetimes = {
  certificateMs: 365 * dayMs,
  authorityMs: 3_650 * dayMs,
  renewalMs: 400 * dayMs,
  overlapMs: 3_600_000,
};

export interface LocalAuthorityOptions {
  table: Table;
  /** 32 bytes; seals the private keys at rest. */
  encryptionKey: Buffer;
  clock: { now(): number };
  lifetimes?: Lifetimes;
}

interface Authority extends KeyedCertificate {
  id: string;
}

/** What a process knows, for a while: two authorities overlap for longer. */
interface Known {
  record: AuthorityRecord;
  readAt: number;
  older: Authority;
  newer: Authority | undefined;
}

export class LocalCertificateAuthority implements CertificateAuthority {
  readonly #records: AuthorityRecords;
  readonly #clock: { now(): number };
  readonly #lifetimes: Lifetimes;
  #known: Known | undefined;
  #reading: Promise<Known> | undefined;
  readonly #clients = new Map<string, KeyedCertificate>();

  constructor({ table, encryptionKey, clock, lifetimes = defaultLifetimes }: LocalAuthorityOptions) {
    if (encryptionKey.length !== 32) throw new TypeError('the encryption key must have 32 bytes');
    this.#records = new AuthorityRecords(table, aesSealer(encryptionKey));
    this.#clock = clock;
    this.#lifetimes = lifetimes;
  }

  async trust(): Promise<Trust> {
    const known = await this.#current();
    const authorities = trusted(known).map(({ id, certificate }) => ({ id, certificate }));
    return { version: known.record.version ?? 1, authorities, signer: signerOf(known).id };
  }

  async caCertificate(): Promise<string> {
    return trusted(await this.#current())
      .map(({ certificate }) => certificate)
      .join('');
  }

  async issueAmphora(amphoraId: string, now: number): Promise<IssuedCertificate> {
    const signer = signerOf(await this.#current());
    const wish = { common_name: amphoraId, dns_names: [amphoraId], use: ['serverAuth', 'clientAuth'] as const };
    return issued(await makeCertificate({ ...wish, ...this.#validity(now, signer) }, signer), signer.id);
  }

  async client(now: number, authority?: string): Promise<IssuedCertificate> {
    const known = await this.#current();
    const signer = authority === undefined ? signerOf(known) : trusted(known).find(({ id }) => id === authority);
    if (signer === undefined) throw new DriverError(`authority ${authority} is not trusted any more`);
    const kept = this.#clients.get(signer.id);
    const client = kept && !isNearEnd(kept, now) ? kept : await this.#agreeOnClient(signer, now);
    this.#clients.set(signer.id, client);
    return issued(client, signer.id);
  }

  async advance(now: number, isUnused: (older: string, newer: string) => boolean): Promise<AuthorityPhase | undefined> {
    const known = await this.#read();
    for (const signer of trusted(known)) await this.client(now, signer.id);
    const phase = await this.#step(known, now, isUnused);
    if (phase !== undefined) await this.#read();
    return phase;
  }

  async #step(
    known: Known,
    now: number,
    isUnused: (older: string, newer: string) => boolean,
  ): Promise<AuthorityPhase | undefined> {
    const { record, older, newer } = known;
    const { renewalMs, overlapMs } = this.#lifetimes;
    if (newer === undefined) {
      const isDue = endOf(older.certificate) - now < renewalMs;
      return isDue && (await this.#introduce(record, now)) ? 'introduced' : undefined;
    }
    if (record.signing_since === undefined) {
      const isKnown = now - (record.introduced_at ?? now) >= overlapMs;
      return isKnown && (await this.#letSign(record, now)) ? 'signing' : undefined;
    }
    const isOver = now - record.signing_since >= overlapMs && isUnused(older.id, newer.id);
    return isOver && (await this.#retire(record, older)) ? 'retired' : undefined;
  }

  /** With its client certificate: not everybody who needs one may write to the table. */
  async #introduce(record: AuthorityRecord, now: number): Promise<boolean> {
    const version = (record.version ?? 1) + 1;
    const made = await this.#makeAuthority(now, version);
    const next = this.#records.sealAuthority(made);
    const id = authorityId(made.certificate);
    const client = this.#records.sealClient(await this.#makeClient({ ...made, id }, now), id);
    return this.#records.write(
      {
        ...recordOf(record),
        version,
        next_certificate: next.certificate,
        next_sealed_private_key: next.sealed_private_key,
        introduced_at: now,
      },
      { equals: { certificate: record.certificate }, missing: ['next_certificate'] },
      [this.#records.clientPut(id, client)],
    );
  }

  #letSign(record: AuthorityRecord, now: number): Promise<boolean> {
    const { certificate, next_certificate } = record as Required<AuthorityRecord>;
    const when = { equals: { certificate, next_certificate }, missing: ['signing_since'] };
    return this.#records.write({ ...recordOf(record), signing_since: now }, when);
  }

  #retire(record: AuthorityRecord, older: Authority): Promise<boolean> {
    const { certificate, next_certificate, next_sealed_private_key } = record as Required<AuthorityRecord>;
    const version = (record.version ?? 1) + 1;
    const successor = { certificate: next_certificate, sealed_private_key: next_sealed_private_key, version };
    const gone = this.#records.clientDelete(older.id);
    return this.#records.write(successor, { equals: { certificate, next_certificate } }, [gone]);
  }

  async #current(): Promise<Known> {
    // Whoever is behind by this still trusts, and is trusted by, everybody.
    const freshMs = Math.min(this.#lifetimes.overlapMs / 4, 300_000);
    const known = this.#known;
    return known && this.#clock.now() - known.readAt < freshMs ? known : this.#read();
  }

  #read(): Promise<Known> {
    this.#reading ??= this.#readRecord().finally(() => {
      this.#reading = undefined;
    });
    return this.#reading;
  }

  async #readRecord(): Promise<Known> {
    const record = (await this.#records.read()) ?? (await this.#agreeOnFirst());
    const { next_certificate: certificate, next_sealed_private_key: sealed_private_key } = record;
    const hasNext = certificate !== undefined && sealed_private_key !== undefined;
    this.#known = {
      record,
      readAt: this.#clock.now(),
      older: this.#opened(record),
      newer: hasNext ? this.#opened({ certificate, sealed_private_key }) : undefined,
    };
    return this.#known;
  }

  /** The same object as long as it is the same authority: what signing takes is kept by it. */
  #opened(sealed: SealedCertificate): Authority {
    const before = this.#known && trusted(this.#known).find(({ certificate }) => certificate === sealed.certificate);
    return before ?? { ...this.#records.openAuthority(sealed), id: authorityId(sealed.certificate) };
  }

  /** Two that start at once both make one; whoever writes first is the one both go on with. */
  async #agreeOnFirst(): Promise<AuthorityRecord> {
    const made = this.#records.sealAuthority(await this.#makeAuthority(this.#clock.now(), 1));
    const record = { ...made, version: 1 };
    if (await this.#records.write(record, { exists: false })) return record;
    const first = await this.#records.read();
    if (first === undefined) throw new DriverError('the authority could not be written', { isTransient: true });
    return first;
  }

  async #agreeOnClient(signer: Authority, now: number): Promise<KeyedCertificate> {
    const kept = await this.#records.readClient(signer.id);
    const opened = kept && this.#records.openClient(kept, signer.id);
    if (opened && !isNearEnd(opened, now)) return opened;
    const made = await this.#makeClient(signer, now);
    if (await this.#records.writeClient(signer.id, this.#records.sealClient(made, signer.id), kept)) return made;
    const first = await this.#records.readClient(signer.id);
    return first ? this.#records.openClient(first, signer.id) : made;
  }

  #makeAuthority(now: number, version: number): Promise<KeyedCertificate> {
    const common_name = version === 1 ? 'octavia-serverless CA' : `octavia-serverless CA ${version}`;
    const validity = { not_before: now - clockSkewMs, not_after: now + this.#lifetimes.authorityMs };
    return makeCertificate({ common_name, dns_names: [], use: 'authority', ...validity });
  }

  #makeClient(signer: Authority, now: number): Promise<KeyedCertificate> {
    const wish = { common_name: clientName, dns_names: [], use: ['clientAuth'] as const };
    return makeCertificate({ ...wish, ...this.#validity(now, signer) }, signer);
  }

  /** Nothing is valid for longer than who signed it. */
  #validity(now: number, { certificate }: Authority) {
    const not_after = Math.min(now + this.#lifetimes.certificateMs, endOf(certificate));
    return { not_before: now - clockSkewMs, not_after };
  }
}

const trusted = ({ older, newer }: Known): Authority[] => (newer === undefined ? [older] : [older, newer]);

const signerOf = ({ record, older, newer }: Known): Authority =>
  newer !== undefined && record.signing_since !== undefined ? newer : older;

/** Without the key of the row. */
const recordOf = (row: AuthorityRecord & { pk?: string; sk?: string }): AuthorityRecord => {
  const { pk: _pk, sk: _sk, ...record } = row;
  return record;
};

const endOf = (pem: string): number => Date.parse(new X509Certificate(pem).validTo);

function isNearEnd({ certificate }: KeyedCertificate, now: number): boolean {
  const { validFrom, validTo } = new X509Certificate(certificate);
  const [from, to] = [Date.parse(validFrom) + clockSkewMs, Date.parse(validTo)];
  return to - now < (to - from) * renewedShare;
}

const issued = (made: KeyedCertificate, authority: string): IssuedCertificate => ({
  certificate: made.certificate,
  private_key: made.private_key,
  expires_at: timestamp(endOf(made.certificate)),
  authority,
});
