// Health manager, notices: machines that AWS will take away, by AWS Health's scheduled changes, interruptions of spot machines and
// recommendations to rebalance. They still serve, so their amphorae are replaced without a gap.
import { noteRetiring, replaceRetiring } from '../controller/retirement.ts';
import type { Services } from '../runtime/services.ts';

/** Of the events only this is read. */
export interface MachineNotice {
  detail: {
    /** Of spot machines. */
    'instance-id'?: string;
    /** Of AWS Health. */
    affectedEntities?: { entityValue?: string }[];
  };
}

/** Entities of a change are also named by their ARN. */
const instanceIdIn = (text: string): string | undefined => /(?:^|\/)(i-[0-9a-f]+)$/.exec(text)?.[1];

function instanceIdsOf({ detail }: MachineNotice): string[] {
  const affected = (detail.affectedEntities ?? []).map(({ entityValue = '' }) => entityValue);
  const named = [detail['instance-id'] ?? '', ...affected].map(instanceIdIn);
  return [...new Set(named.filter((id) => id !== undefined))];
}

/** @returns how many replacements were asked for now; housekeeping asks for the others as failovers end */
export async function takeInNotice(services: Services, notice: MachineNotice): Promise<number> {
  let isOurs = false;
  for (const instanceId of instanceIdsOf(notice)) {
    const { amphora_id, state } = await services.compute.get(instanceId);
    if (state !== 'GONE' && (await noteRetiring(services, amphora_id))) isOurs = true;
  }
  return isOurs ? replaceRetiring(services) : 0;
}
