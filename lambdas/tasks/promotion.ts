// Tasks by which the standby of a pair takes over before the lost amphora is replaced: where keepalived moves the VIP in Octavia.
import { announce } from '../controller/announce.ts';
import type { AmphoraRole } from '../domain/statuses.ts';
import { readAmphorae, swapRoles } from '../repositories/amphorae.ts';
import { noteRollUp } from '../repositories/health.ts';
import { type OfOperation, owned } from './held.ts';
import { planningTasks } from './leaving.ts';
import type { Task } from './task.ts';

interface Promotion extends OfOperation {
  old_amphora_id: string;
}

/** Who can take over from the amphora that is replaced; nobody where there is no other. */
const FindStandby: Task<Promotion> = async (services, input) => {
  const { amphora_ids } = await owned(services, input);
  const others = await readAmphorae(
    services.table,
    amphora_ids.filter((id) => id !== input.old_amphora_id),
  );
  const standby = others.find(({ role, status }) => role === 'BACKUP' && status === 'ALLOCATED');
  return { amphora_id: standby?.id ?? null };
};

/** The standby has the VIP: from here on its word counts, and what is replaced is the standby. */
const SwapRoles: Task<Promotion & { amphora_id: string }> = async (services, input) => {
  const row = await owned(services, input);
  await swapRoles(services, input.amphora_id, input.old_amphora_id);
  await noteRollUp(services, input.amphora_id, '');
  const { amphora_id, old_amphora_id } = input;
  await announce(services, row, 'standby_promoted', 'amphora', amphora_id, { old_amphora_id }, input.operation_id);
  return 'BACKUP' satisfies AmphoraRole;
};

export const promotionTasks = { ...planningTasks, FindStandby, SwapRoles };
