// Tells the world how far a roll-out is.
import { type RolloutRow, rolloutResponse } from '../domain/rollout.ts';
import type { OctaviaEvent } from '../drivers/events/event-driver.ts';
import type { Services } from '../runtime/services.ts';
import { announce } from './announce.ts';

type RolloutEvent = Extract<OctaviaEvent['type'], `rollout_${string}`>;

export async function announceRollout(services: Services, type: RolloutEvent, row: RolloutRow): Promise<void> {
  const { wave, load_balancers, reason } = rolloutResponse(row);
  const about = { id: '', project_id: '', name: '' };
  const detail = { wave, load_balancers, ...(reason ? { reason } : {}) };
  await announce(services, about, type, 'rollout', row.id, detail, String(row.revision));
}
