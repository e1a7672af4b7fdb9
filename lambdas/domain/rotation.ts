// What of an amphora's identity is to be renewed: its server certificate, the authorities it trusts, the key of its heartbeats.
import type { AmphoraRow } from './amphora.ts';
import { timestamp } from './time.ts';

/** As the certificate authority tells it, oldest first. */
export interface TrustedNow {
  authorities: { id: string }[];
  signer: string;
}

export interface RotationSettings {
  certificate_expiry_buffer_ms: number;
  certificate_validity_ms: number;
  heartbeat_key_max_age_ms: number;
  heartbeat_timeout_ms: number;
}

export interface RotationNeeds {
  authorities: boolean;
  certificate: boolean;
  heartbeat_key: boolean;
}

/** Rows from before authorities had successors say nothing: then it is the oldest there is, which is kept for them. */
export const trustedBy = (row: AmphoraRow, { authorities }: TrustedNow): string[] =>
  row.trusted_authorities ?? [authorities[0]!.id];
const signedBy = (row: AmphoraRow, { authorities }: TrustedNow): string => row.cert_authority ?? authorities[0]!.id;

const isSameSet = (a: string[], b: string[]): boolean => a.length === b.length && a.every((one) => b.includes(one));

export function rotationNeeds(
  row: AmphoraRow,
  trust: TrustedNow,
  now: number,
  settings: RotationSettings,
): RotationNeeds {
  const trusted = trust.authorities.map(({ id }) => id);
  // What is valid for less than the buffer would be renewed without end.
  const bufferMs = Math.min(settings.certificate_expiry_buffer_ms, settings.certificate_validity_ms / 2);
  const isEnding = row.cert_expiration !== null && row.cert_expiration < timestamp(now + bufferMs);
  const isAsked = row.is_rotation_asked === true;
  return {
    authorities: !isSameSet(trustedBy(row, trust), trusted),
    certificate: isAsked || isEnding || signedBy(row, trust) !== trust.signer,
    heartbeat_key: isAsked || isHeartbeatKeyDue(row, now, settings),
  };
}

/** One that was given and of which nothing was heard is given again. */
function isHeartbeatKeyDue(row: AmphoraRow, now: number, settings: RotationSettings): boolean {
  if (row.next_heartbeat_key) return now - (row.next_heartbeat_key_at ?? 0) > settings.heartbeat_timeout_ms;
  const since = row.heartbeat_key_at ?? Date.parse(`${row.created_at}Z`);
  return now - since > settings.heartbeat_key_max_age_ms;
}

export const needsRotation = (needs: RotationNeeds): boolean => Object.values(needs).includes(true);

/** Whether no amphora trusts the older authority alone, or shows what it signed; one that is being built may. */
export const isAuthorityUnused = (rows: AmphoraRow[], older: string, newer: string): boolean =>
  rows.every((row) => row.cert_authority === newer && (row.trusted_authorities ?? [older]).includes(newer));
