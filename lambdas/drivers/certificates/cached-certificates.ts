// Remembers for a minute what another place said, so that a busy function asks it once a minute for each certificate. What could
// not be read is asked for again at once: whoever has just put it right expects to be believed.
import type { CertificateManager, SecretStore, ServedCertificate, TrustedAuthority } from './certificate-manager.ts';

const minuteMs = 60_000;
/** Twice as many as a load balancer of a hundred listeners has; of a few kB each. */
const mostKept = 1_000;

interface Kept {
  /** Settled or not: who asks meanwhile waits for the same answer. */
  answer: Promise<unknown>;
  until: number;
}

export interface CachedCertificatesOptions {
  source: CertificateManager & SecretStore;
  clock: { now(): number };
  maxAgeMs?: number;
  maxKept?: number;
}

export class CachedCertificates implements CertificateManager, SecretStore {
  readonly #source: CertificateManager & SecretStore;
  readonly #clock: { now(): number };
  readonly #maxAgeMs: number;
  readonly #maxKept: number;
  /** In the order they were asked for, oldest first. */
  readonly #kept = new Map<string, Kept>();

  constructor({ source, clock, maxAgeMs = minuteMs, maxKept = mostKept }: CachedCertificatesOptions) {
    this.#source = source;
    this.#clock = clock;
    this.#maxAgeMs = maxAgeMs;
    this.#maxKept = maxKept;
  }

  get(reference: string, projectId: string): Promise<ServedCertificate> {
    return this.#remembered(['certificate', projectId, reference], () => this.#source.get(reference, projectId));
  }

  getAuthority(reference: string, revocationReference: string | null, projectId: string): Promise<TrustedAuthority> {
    return this.#remembered(['authority', projectId, reference, revocationReference], () =>
      this.#source.getAuthority(reference, revocationReference, projectId),
    );
  }

  readSecret(reference: string, projectId: string): Promise<Buffer> {
    return this.#remembered(['secret', projectId, reference], () => this.#source.readSecret(reference, projectId));
  }

  #remembered<T>(asked: (string | null)[], ask: () => Promise<T>): Promise<T> {
    const key = JSON.stringify(asked);
    const now = this.#clock.now();
    const known = this.#kept.get(key);
    if (known !== undefined && known.until > now) return known.answer as Promise<T>;
    const kept: Kept = { answer: ask(), until: now + this.#maxAgeMs };
    this.#kept.delete(key);
    this.#kept.set(key, kept);
    kept.answer.catch(() => {
      if (this.#kept.get(key) === kept) this.#kept.delete(key);
    });
    this.#forgetOldest();
    return kept.answer as Promise<T>;
  }

  #forgetOldest(): void {
    for (const key of this.#kept.keys()) {
      if (this.#kept.size <= this.#maxKept) return;
      this.#kept.delete(key);
    }
  }
}
