// What is on record of the local authority: the one there is, its successor once there is one, and the control plane's client
// certificate of each. Private keys lie sealed. One row holds both authorities, so that every step of a rotation is one write.
import { createHash, X509Certificate } from 'node:crypto';
import { DriverError } from '../../domain/errors.ts';
import {
  type Condition,
  type Item,
  type Key,
  type Operation,
  type Table,
  TransactionCancelled,
} from '../table/table.ts';
import type { Sealer } from './sealer.ts';
import type { KeyedCertificate } from './x509.ts';

/** An authority, or a client certificate of one. */
export interface SealedCertificate {
  /** PEM */
  certificate: string;
  sealed_private_key: string;
}

export interface AuthorityRecord extends SealedCertificate {
  /** Absent in rows from before there were successors: 1. */
  version?: number;
  next_certificate?: string;
  next_sealed_private_key?: string;
  /** Milliseconds since the epoch: since when the successor is trusted, and since when it signs. */
  introduced_at?: number;
  signing_since?: number;
}

const authorityKey: Key = { pk: 'CA#local', sk: 'CA' };
const clientKey = (authority: string): Key => ({ pk: 'CA#local', sk: `CLIENT#${authority}` });
/** Both authorities are sealed for the same purpose: the successor takes the other's place as it is. */
const authorityPurpose = 'CA#local/CA';
const clientPurpose = (authority: string): string => `CA#local/CLIENT#${authority}`;

/** Of an authority: no two have the same certificate. */
export const authorityId = (pem: string): string =>
  createHash('sha256').update(new X509Certificate(pem).raw).digest('hex').slice(0, 16);

export class AuthorityRecords {
  readonly #table: Table;
  readonly #sealer: Sealer;

  constructor(table: Table, sealer: Sealer) {
    this.#table = table;
    this.#sealer = sealer;
  }

  async read(): Promise<AuthorityRecord | undefined> {
    return (await this.#table.get(authorityKey)) as unknown as AuthorityRecord | undefined;
  }

  /** @returns false when somebody else was first, or the row is not as it was */
  write(record: AuthorityRecord, when: Condition, besides: Operation[] = []): Promise<boolean> {
    return this.#written([{ kind: 'put', item: { ...authorityKey, ...record }, when }, ...besides]);
  }

  async readClient(authority: string): Promise<SealedCertificate | undefined> {
    return (await this.#table.get(clientKey(authority))) as unknown as SealedCertificate | undefined;
  }

  /** @param replaced what it takes the place of; nothing: it is the first */
  writeClient(authority: string, client: SealedCertificate, replaced: SealedCertificate | undefined): Promise<boolean> {
    const when = replaced ? { equals: { certificate: replaced.certificate } } : { exists: false };
    return this.#written([{ ...this.clientPut(authority, client), when }]);
  }

  clientPut(authority: string, client: SealedCertificate): Extract<Operation, { kind: 'put' }> {
    const item: Item = { ...clientKey(authority), ...client };
    return { kind: 'put', item };
  }

  clientDelete = (authority: string): Operation => ({ kind: 'delete', key: clientKey(authority) });

  sealAuthority = (made: KeyedCertificate): SealedCertificate => this.#sealed(made, authorityPurpose);
  sealClient = (made: KeyedCertificate, authority: string): SealedCertificate =>
    this.#sealed(made, clientPurpose(authority));
  openAuthority = (one: SealedCertificate): KeyedCertificate => this.#opened(one, authorityPurpose);
  openClient = (one: SealedCertificate, authority: string): KeyedCertificate =>
    this.#opened(one, clientPurpose(authority));

  #sealed({ certificate, private_key }: KeyedCertificate, purpose: string): SealedCertificate {
    return { certificate, sealed_private_key: this.#sealer.seal(private_key, purpose) };
  }

  #opened({ certificate, sealed_private_key }: SealedCertificate, purpose: string): KeyedCertificate {
    try {
      return { certificate, private_key: this.#sealer.open(sealed_private_key, purpose) };
    } catch (cause) {
      throw new DriverError(`${purpose} does not open with this encryption key`, { cause });
    }
  }

  async #written(operations: Operation[]): Promise<boolean> {
    try {
      await this.#table.transact(operations);
      return true;
    } catch (error) {
      if (error instanceof TransactionCancelled) return false;
      throw error;
    }
  }
}
