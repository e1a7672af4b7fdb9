// Barbican's secrets and containers as they are kept, and where: the key manager writes them, the certificate manager reads them.

export const secretTypes = ['symmetric', 'public', 'private', 'passphrase', 'certificate', 'opaque'] as const;
export type SecretType = (typeof secretTypes)[number];
export const containerTypes = ['generic', 'rsa', 'certificate'] as const;
export type ContainerType = (typeof containerTypes)[number];

/** Who may read beside the project. */
export interface ReadAcl {
  users: string[];
  /** false: of the project only who made it. */
  project_access: boolean;
  created_at: string;
  updated_at: string;
}

interface Kept {
  id: string;
  project_id: string;
  creator_id: string;
  name: string | null;
  created_at: string;
  updated_at: string;
  acl: ReadAcl | null;
}

export interface SecretRow extends Kept {
  secret_type: SecretType;
  algorithm: string | null;
  bit_length: number | null;
  mode: string | null;
  /** Octavia's spelling of a time; from then on it is not found any more. */
  expiration: string | null;
  /** null until there is a payload. */
  content_type: string | null;
  consumers: SecretConsumer[];
}

export interface ContainerRow extends Kept {
  type: ContainerType;
  secret_refs: { name: string; secret_ref: string }[];
  consumers: ContainerConsumer[];
}

export interface SecretConsumer {
  service: string;
  resource_type: string;
  resource_id: string;
}
export interface ContainerConsumer {
  name: string;
  URL: string;
}

export type KeyManagerKind = 'secrets' | 'containers';

export const keyManagerKey = (kind: KeyManagerKind, id: string) => ({
  pk: `${kind === 'secrets' ? 'SECRET' : 'CONTAINER'}#${id}`,
  sk: 'KEY-MANAGER',
});

/** A payload lies beside its secret, so that lists do not read it: base64, sealed for `payloadPurpose`. */
export interface PayloadRow {
  project_id: string;
  sealed_payload: string;
}

export const payloadKey = (id: string) => ({ pk: `SECRET#${id}`, sk: 'PAYLOAD' });

/** What a payload is sealed for: it opens under no other id. */
export const payloadPurpose = (id: string): string => `secret:${id}`;

/** The end of any of Barbican's URLs, under whatever host and prefix it is reached. */
const place = /(?:^|\/)(secrets|containers)\/([0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})\/?$/;

/** What a reference leads to; undefined for what is none of Barbican's. */
export function placeOf(reference: string): { kind: KeyManagerKind; id: string } | undefined {
  const [, kind, id] = place.exec(reference) ?? [];
  return kind === undefined ? undefined : { kind: kind as KeyManagerKind, id: id!.toLowerCase() };
}
