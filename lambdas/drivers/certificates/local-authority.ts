// Octavia's local certificate generator: an authority of our own, kept in the table, its keys sealed.
import { X509Certificate } from 'node:crypto';
import { DriverError } from '../../domain/errors.ts';
import { timestamp } from '../../domain/time.ts';
import { type Item, type Key, type Operation, type Table, TransactionCancelled } from '../table/table.ts';
import type { CertificateAuthority, IssuedCertificate } from './certificate-authority.ts';
import { aesSealer, type Sealer } from './sealer.ts';
import { type KeyedCertificate, makeCertificate } from './x509.ts';

/** Common name by which an amphora knows the control plane. */
export const clientName = 'octavia-control-plane';

const dayMs = 86_400_000;
const authorityDays = 3_650;
const clientDays = 365;
/** The client certificate is renewed when it has less than this to go: no amphora need be told, as it trusts the name. */
const clientRenewalDays = 90;
/** Certificates start in the past, as clocks of amphorae may be behind. */
const clockSkewMs = 300_000;

const authorityKey: Key = { pk: 'CA#local', sk: 'CA' };
const clientKey: Key = { pk: 'CA#local', sk: 'CLIENT' };
const place = ({ pk, sk }: Key): string => `${pk}/${sk}`;

export interface LocalAuthorityOptions {
  table: Table;
  /** 32 bytes; seals the private keys at rest. */
  encryptionKey: Buffer;
  clock: { now(): number };
  /** Days a server certificate of an amphora is valid. */
  amphoraValidityDays?: number;
}

export class LocalCertificateAuthority implements CertificateAuthority {
  readonly #options: LocalAuthorityOptions;
  readonly #sealer: Sealer;
  readonly #amphoraValidityMs: number;
  #authority: Promise<KeyedCertificate> | undefined;
  #client: KeyedCertificate | undefined;

  constructor(options: LocalAuthorityOptions) {
    if (options.encryptionKey.length !== 32) throw new TypeError('the encryption key must have 32 bytes');
    this.#options = options;
    this.#sealer = aesSealer(options.encryptionKey);
    this.#amphoraValidityMs = (options.amphoraValidityDays ?? 365) * dayMs;
  }

  async caCertificate(): Promise<string> {
    return (await this.#getAuthority()).certificate;
  }

  async issueAmphora(amphoraId: string, now: number): Promise<IssuedCertificate> {
    const wish = { common_name: amphoraId, dns_names: [amphoraId], use: ['serverAuth', 'clientAuth'] as const };
    const validity = { not_before: now - clockSkewMs, not_after: now + this.#amphoraValidityMs };
    return issued(await makeCertificate({ ...wish, ...validity }, await this.#getAuthority()));
  }

  async client(now: number): Promise<IssuedCertificate> {
    if (!this.#client || isNearEnd(this.#client, now)) this.#client = await this.#agreeOnClient(now);
    return issued(this.#client);
  }

  #getAuthority(): Promise<KeyedCertificate> {
    this.#authority ??= this.#agreeOnAuthority().catch((error) => {
      this.#authority = undefined;
      throw error;
    });
    return this.#authority;
  }

  async #agreeOnAuthority(): Promise<KeyedCertificate> {
    const kept = await this.#read(authorityKey);
    if (kept) return kept;
    const now = this.#options.clock.now();
    const validity = { not_before: now - clockSkewMs, not_after: now + authorityDays * dayMs };
    const made = await makeCertificate({
      common_name: 'octavia-serverless CA',
      dns_names: [],
      use: 'authority',
      ...validity,
    });
    return this.#keep(authorityKey, made, undefined);
  }

  async #agreeOnClient(now: number): Promise<KeyedCertificate> {
    const kept = await this.#read(clientKey);
    if (kept && !isNearEnd(kept, now)) return kept;
    const wish = { common_name: clientName, dns_names: [], use: ['clientAuth'] as const };
    const validity = { not_before: now - clockSkewMs, not_after: now + clientDays * dayMs };
    return this.#keep(clientKey, await makeCertificate({ ...wish, ...validity }, await this.#getAuthority()), kept);
  }

  async #read(key: Key): Promise<KeyedCertificate | undefined> {
    const item = await this.#options.table.get(key);
    if (!item) return undefined;
    try {
      const private_key = this.#sealer.open(String(item['sealed_private_key']), place(key));
      return { certificate: String(item['certificate']), private_key };
    } catch (cause) {
      throw new DriverError(`${place(key)} does not open with this encryption key`, { cause });
    }
  }

  /** Two that start at once both make one; whoever writes first is the one both go on with. */
  async #keep(key: Key, made: KeyedCertificate, replaced: KeyedCertificate | undefined): Promise<KeyedCertificate> {
    const sealed_private_key = this.#sealer.seal(made.private_key, place(key));
    const item: Item = { ...key, certificate: made.certificate, sealed_private_key };
    const when: Operation['when'] = replaced ? { equals: { certificate: replaced.certificate } } : { exists: false };
    try {
      await this.#options.table.transact([{ kind: 'put', item, when }]);
      return made;
    } catch (error) {
      if (!(error instanceof TransactionCancelled)) throw error;
      const first = await this.#read(key);
      if (!first) throw error;
      return first;
    }
  }
}

const expiresAt = (certificate: string): number => Date.parse(new X509Certificate(certificate).validTo);

const isNearEnd = ({ certificate }: KeyedCertificate, now: number): boolean =>
  expiresAt(certificate) - now < clientRenewalDays * dayMs;

const issued = (made: KeyedCertificate): IssuedCertificate => ({
  certificate: made.certificate,
  private_key: made.private_key,
  expires_at: timestamp(expiresAt(made.certificate)),
});
