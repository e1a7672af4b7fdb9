// A certificate manager of our own, in Barbican's place: secrets and containers in the table, payloads sealed.
import {
  type ContainerRow,
  type KeyManagerKind,
  keyManagerKey,
  type PayloadRow,
  payloadKey,
  payloadPurpose,
  placeOf,
} from '../../domain/key-manager.ts';
import type { Key, Table } from '../table/table.ts';
import {
  type CertificateManager,
  CertificateUnreadable,
  type SecretStore,
  type ServedCertificate,
  type TrustedAuthority,
} from './certificate-manager.ts';
import { readParts, readPayload } from './certificate-payload.ts';
import type { Sealer } from './sealer.ts';
import { readAuthority } from './trusted-authority.ts';

/** Names of the secrets in Barbican's containers of type `certificate`. */
export interface CertificateSecrets {
  certificate: string;
  private_key: string;
  private_key_passphrase?: string;
  intermediates?: string;
}

export interface LocalCertificatesOptions {
  table: Table;
  sealer: Sealer;
}

function idOf(reference: string, kind: KeyManagerKind): string {
  const found = placeOf(reference);
  if (found?.kind !== kind) throw new TypeError(`${reference} is no reference to ${kind}`);
  return found.id;
}

const keyOf = (reference: string): Key => keyManagerKey('containers', idOf(reference, 'containers'));

export class LocalCertificates implements CertificateManager, SecretStore {
  readonly #table: Table;
  readonly #sealer: Sealer;

  constructor({ table, sealer }: LocalCertificatesOptions) {
    this.#table = table;
    this.#sealer = sealer;
  }

  /** Keeps a payload for a project, of what the certificate manager reads and no more. */
  async putSecret(id: string, projectId: string, payload: string | Buffer): Promise<void> {
    const sealed_payload = this.#sealer.seal(Buffer.from(payload).toString('base64'), payloadPurpose(id));
    await this.#table.transact([{ kind: 'put', item: { ...payloadKey(id), project_id: projectId, sealed_payload } }]);
  }

  /** Names secrets that belong together. @param secrets references */
  async putContainer(id: string, projectId: string, secrets: CertificateSecrets): Promise<void> {
    const secret_refs = Object.entries(secrets).map(([name, secret_ref]) => ({ name, secret_ref }));
    const item = { ...keyManagerKey('containers', id), id, project_id: projectId, type: 'certificate', secret_refs };
    await this.#table.transact([{ kind: 'put', item }]);
  }

  async get(reference: string, projectId: string): Promise<ServedCertificate> {
    try {
      if (placeOf(reference)?.kind === 'containers') return await this.#fromContainer(reference, projectId);
      return readPayload(await this.readSecret(reference, projectId));
    } catch (cause) {
      throw new CertificateUnreadable([reference], { cause });
    }
  }

  getAuthority(reference: string, revocationReference: string | null, projectId: string): Promise<TrustedAuthority> {
    return readAuthority((one) => this.#text(one, projectId), reference, revocationReference);
  }

  async readSecret(reference: string, projectId: string): Promise<Buffer> {
    const id = idOf(reference, 'secrets');
    const { sealed_payload } = await this.#owned<PayloadRow>(payloadKey(id), projectId);
    return Buffer.from(this.#sealer.open(sealed_payload, payloadPurpose(id)), 'base64');
  }

  async #fromContainer(reference: string, projectId: string): Promise<ServedCertificate> {
    const container = await this.#owned<ContainerRow>(keyOf(reference), projectId);
    if (container.type !== 'certificate') throw new Error(`a container of type ${container.type} is no certificate`);
    const references = new Map(container.secret_refs.map(({ name, secret_ref }) => [name, secret_ref]));
    const read = async (name: string): Promise<string | undefined> => {
      const secret = references.get(name);
      return secret === undefined ? undefined : this.#text(secret, projectId);
    };
    const [certificate = '', private_key = '', private_key_passphrase, intermediates] = await Promise.all(
      ['certificate', 'private_key', 'private_key_passphrase', 'intermediates'].map(read),
    );
    return readParts({ certificate, private_key, private_key_passphrase, intermediates });
  }

  async #text(reference: string, projectId: string): Promise<string> {
    return (await this.readSecret(reference, projectId)).toString('utf8');
  }

  async #owned<R>(key: Key, projectId: string): Promise<R> {
    const item = await this.#table.get(key);
    if (item?.['project_id'] !== projectId) throw new Error(`${key.pk} is not there for project ${projectId}`);
    return item as unknown as R;
  }
}
