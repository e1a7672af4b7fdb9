// What an amphora is born with: its row, which comes before the machine, and the key of its heartbeats.
import { randomBytes } from 'node:crypto';
import { type AmphoraRow, type MachineWish, newAmphora } from '../domain/amphora.ts';
import { heartbeatPurpose } from '../domain/heartbeat.ts';
import type { AmphoraRole } from '../domain/statuses.ts';
import type { Services } from '../runtime/services.ts';

type Parts = Pick<Services, 'sealer' | 'clock' | 'config'>;

/** @param role null for a spare */
export function bornAmphora(
  { sealer, clock, config }: Parts,
  id: string,
  role: AmphoraRole | null,
  wish: MachineWish,
): AmphoraRow {
  const key = sealer.seal(randomBytes(32).toString('hex'), heartbeatPurpose(id));
  // Its flow may go on for longer than an operation is given.
  return newAmphora(id, role, wish, key, { now: clock.now(), timeoutMs: config.flow_timeout_ms });
}
