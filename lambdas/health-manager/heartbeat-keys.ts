// Keys an amphora may sign its heartbeats with: the one in use, one it was given, and for a while the one before, as heartbeats that
// were on their way arrive in any order.
import { createHmac, timingSafeEqual } from 'node:crypto';
import type { SignedHeartbeat } from '../../amphora/agent-api.ts';
import { announce } from '../controller/announce.ts';
import type { AmphoraRow } from '../domain/amphora.ts';
import { heartbeatPurpose } from '../domain/heartbeat.ts';
import { promoteHeartbeatKey } from '../repositories/rotations.ts';
import type { Services } from '../runtime/services.ts';

export interface HeartbeatKey {
  use: 'now' | 'next' | 'before';
  /** Opened when it is needed. */
  readonly text: string;
}

export function heartbeatKeysOf({ sealer, clock, config }: Services, amphora: AmphoraRow): HeartbeatKey[] {
  const { heartbeat_key: now, next_heartbeat_key: next, previous_heartbeat_key: before, heartbeat_key_at } = amphora;
  const isRecent = clock.now() - (heartbeat_key_at ?? 0) < config.heartbeat_key_overlap_ms;
  const purpose = heartbeatPurpose(amphora.id);
  const keyOf = (use: HeartbeatKey['use'], sealed: string): HeartbeatKey => {
    let text: string | undefined;
    return {
      use,
      get text() {
        text ??= sealer.open(sealed, purpose);
        return text;
      },
    };
  };
  return [
    keyOf('now', now),
    ...(next ? [keyOf('next', next)] : []),
    ...(before && isRecent ? [keyOf('before', before)] : []),
  ];
}

export function isSignedBy(key: string, { payload, hmac }: SignedHeartbeat): boolean {
  const expected = createHmac('sha256', key).update(payload).digest();
  const given = Buffer.from(hmac, 'hex');
  return given.length === expected.length && timingSafeEqual(given, expected);
}

/** The amphora has its next key and uses it. */
export async function useNextKey(services: Services, amphora: AmphoraRow): Promise<void> {
  if (!(await promoteHeartbeatKey(services, amphora, amphora.next_heartbeat_key!))) return;
  const about = { id: amphora.load_balancer_id ?? '', project_id: '', name: '' };
  const version = (amphora.heartbeat_key_version ?? 0) + 1;
  await announce(services, about, 'heartbeat_key_rotated', 'amphora', amphora.id, { version }, String(version));
}
