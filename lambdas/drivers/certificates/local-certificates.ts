// A certificate manager of our own, in Barbican's place: secrets and containers in the table, payloads sealed.
import { createPrivateKey, X509Certificate } from 'node:crypto';
import type { Item, Key, Table } from '../table/table.ts';
import {
  type CertificateManager,
  CertificateUnreadable,
  type ServedCertificate,
  type TrustedAuthority,
} from './certificate-manager.ts';
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

const keyOf = (kind: 'secrets' | 'containers', id: string): Key => ({
  pk: `${kind === 'secrets' ? 'SECRET' : 'CONTAINER'}#${id}`,
  sk: 'KEY-MANAGER',
});
const purposeOf = (id: string): string => `secret:${id}`;

/** The end of any of Barbican's URLs, under whatever host and prefix it is reached. */
const place = /(?:^|\/)(secrets|containers)\/([0-9a-fA-F-]{36})\/?$/;
const pemBlocks = /-----BEGIN [^-]+-----[^-]+-----END [^-]+-----/g;

function idOf(reference: string, kind: 'secrets' | 'containers'): string {
  const [, found, id = ''] = place.exec(reference) ?? [];
  if (found !== kind) throw new TypeError(`${reference} is no reference to ${kind}`);
  return id.toLowerCase();
}

export class LocalCertificates implements CertificateManager {
  readonly #table: Table;
  readonly #sealer: Sealer;

  constructor({ table, sealer }: LocalCertificatesOptions) {
    this.#table = table;
    this.#sealer = sealer;
  }

  /** Keeps a text for a project. */
  async putSecret(id: string, projectId: string, payload: string): Promise<void> {
    const sealed_payload = this.#sealer.seal(payload, purposeOf(id));
    await this.#table.transact([
      { kind: 'put', item: { ...keyOf('secrets', id), project_id: projectId, sealed_payload } },
    ]);
  }

  /** Names secrets that belong together. @param secrets references */
  async putContainer(id: string, projectId: string, secrets: CertificateSecrets): Promise<void> {
    const item: Item = { ...keyOf('containers', id), project_id: projectId, secret_refs: { ...secrets } };
    await this.#table.transact([{ kind: 'put', item }]);
  }

  async get(reference: string, projectId: string): Promise<ServedCertificate> {
    try {
      const isContainer = place.exec(reference)?.[1] === 'containers';
      return checked(
        isContainer
          ? await this.#fromContainer(reference, projectId)
          : fromBundle(await this.#secret(reference, projectId)),
      );
    } catch (cause) {
      throw new CertificateUnreadable([reference], { cause });
    }
  }

  getAuthority(reference: string, revocationReference: string | null, projectId: string): Promise<TrustedAuthority> {
    return readAuthority((one) => this.#secret(one, projectId), reference, revocationReference);
  }

  async #fromContainer(reference: string, projectId: string): Promise<ServedCertificate> {
    const item = await this.#owned(keyOf('containers', idOf(reference, 'containers')), projectId);
    const secrets = item['secret_refs'] as CertificateSecrets;
    const read = (one: string | undefined) => (one === undefined ? undefined : this.#secret(one, projectId));
    const [certificate, key, passphrase, intermediates] = await Promise.all([
      this.#secret(secrets.certificate, projectId),
      this.#secret(secrets.private_key, projectId),
      read(secrets.private_key_passphrase),
      read(secrets.intermediates),
    ]);
    const private_key = passphrase === undefined ? key : withoutPassphrase(key, passphrase);
    return { certificate, private_key, intermediates: intermediates?.match(pemBlocks) ?? [] };
  }

  async #secret(reference: string, projectId: string): Promise<string> {
    const id = idOf(reference, 'secrets');
    const item = await this.#owned(keyOf('secrets', id), projectId);
    return this.#sealer.open(String(item['sealed_payload']), purposeOf(id));
  }

  async #owned(key: Key, projectId: string): Promise<Item> {
    const item = await this.#table.get(key);
    if (item?.['project_id'] !== projectId) throw new Error(`${key.pk} is not there for project ${projectId}`);
    return item;
  }
}

const withoutPassphrase = (key: string, passphrase: string): string =>
  createPrivateKey({ key, passphrase }).export({ type: 'pkcs8', format: 'pem' }).toString();

/** Certificate, key and intermediates in one text. */
function fromBundle(text: string): ServedCertificate {
  const blocks = text.match(pemBlocks) ?? [];
  const [certificate = '', ...intermediates] = blocks.filter((block) => block.includes('BEGIN CERTIFICATE'));
  const private_key = blocks.find((block) => block.includes('PRIVATE KEY')) ?? '';
  return { certificate, private_key, intermediates };
}

/** @throws Error when it could not be served */
function checked(served: ServedCertificate): ServedCertificate {
  const leaf = new X509Certificate(served.certificate);
  if (!leaf.checkPrivateKey(createPrivateKey(served.private_key))) throw new Error('certificate and key do not match');
  for (const one of served.intermediates) new X509Certificate(one);
  return served;
}
