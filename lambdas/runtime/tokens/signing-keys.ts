// The key pairs tokens are signed with: made once for a deployment, kept sealed in the table, loaded once per process.
// A token names its key, so a newer key may sign while tokens of the older ones still hold.
import { type CryptoKey, exportJWK, generateKeyPair, importJWK, type JWK } from 'jose';
import { addSigningKey, listSigningKeys, type SigningKeyRow } from '../../repositories/tokens.ts';
import type { Services } from '../services.ts';

/**
 * Ed25519. Measured against ES256 on one core: as long (86 characters), signs as fast (0.12 ms), verifies faster (0.16 ms against
 * 0.18 ms), and its signature needs no random number that could be a bad one.
 */
export const algorithm = 'EdDSA';

export interface Signer {
  kid: string;
  key: CryptoKey;
}

/** A key that another process added signs here, and one that was deleted is refused, after this long at the latest. */
const keysFreshMs = 300_000;
/** Tokens with an invented key id make us read the table this often at most. */
const rereadMs = 1_000;

const sealedFor = (kid: string): string => `token signing key ${kid}`;
const imported = async (jwk: unknown) => (await importJWK(jwk as JWK, algorithm)) as CryptoKey;

/** Adds a key that signs from now on: the first one, or the next of a rotation. */
export async function rotateSigningKey({ table, sealer }: Pick<Services, 'table' | 'sealer'>): Promise<void> {
  const newest = (await listSigningKeys(table)).at(-1);
  const kid = String(Number(newest?.kid ?? 0) + 1).padStart(6, '0');
  const pair = await generateKeyPair(algorithm, { extractable: true });
  const private_key = sealer.seal(JSON.stringify(await exportJWK(pair.privateKey)), sealedFor(kid));
  await addSigningKey(table, { kid, private_key, public_key: { ...(await exportJWK(pair.publicKey)) } });
}

export class SigningKeys {
  readonly #services: Services;
  #loading: Promise<void> | undefined;
  #loadedAt = Number.NEGATIVE_INFINITY;
  #verifiers = new Map<string, CryptoKey>();
  #signer: Signer | undefined;

  constructor(services: Services) {
    this.#services = services;
  }

  /** Makes the first key when there is none. */
  async signer(): Promise<Signer> {
    if (this.#ageMs() > keysFreshMs) await this.#load();
    if (this.#signer === undefined) {
      await rotateSigningKey(this.#services);
      await this.#load();
    }
    return this.#signer!;
  }

  async verifier(kid: string): Promise<CryptoKey | undefined> {
    if (this.#ageMs() > (this.#verifiers.has(kid) ? keysFreshMs : rereadMs)) await this.#load();
    return this.#verifiers.get(kid);
  }

  #ageMs = (): number => this.#services.clock.now() - this.#loadedAt;

  #load(): Promise<void> {
    this.#loading ??= this.#read().finally(() => {
      this.#loading = undefined;
    });
    return this.#loading;
  }

  async #read(): Promise<void> {
    const rows = await listSigningKeys(this.#services.table);
    const verifiers = await Promise.all(rows.map(async (row) => [row.kid, await imported(row.public_key)] as const));
    this.#verifiers = new Map(verifiers);
    const newest = rows.at(-1);
    this.#signer = newest && { kid: newest.kid, key: await this.#opened(newest) };
    this.#loadedAt = this.#services.clock.now();
  }

  #opened = ({ kid, private_key }: SigningKeyRow): Promise<CryptoKey> =>
    imported(JSON.parse(this.#services.sealer.open(private_key, sealedFor(kid))));
}
