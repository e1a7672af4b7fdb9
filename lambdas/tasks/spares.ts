// The task that gives a load balancer an amphora which is there already: a spare, of those that lie ready.
import { zonesBeside } from '../controller/placement.ts';
import { type AmphoraRow, isSpareFor, machineWish } from '../domain/amphora.ts';
import { Superseded } from '../domain/errors.ts';
import type { Candidate } from '../domain/load-balancer.ts';
import type { AmphoraRole } from '../domain/statuses.ts';
import { TransactionCancelled } from '../drivers/table/table.ts';
import { claimOperation, readSpares } from '../repositories/amphorae.ts';
import { expectSigns } from '../repositories/health.ts';
import { placeClaimed } from '../repositories/hosts.ts';
import { changeLoadBalancer } from '../repositories/load-balancers.ts';
import type { Services } from '../runtime/services.ts';
import { held, type OfOperation, owned } from './held.ts';
import type { Task } from './task.ts';

/** A spare takes a candidate's place in one transaction with the claim, so that no spare is ever claimed for nobody. */
const ClaimSpare: Task<OfOperation & { role: AmphoraRole }> = async (services, input) => {
  const row = await owned(services, input);
  const candidate = row.candidates.find((one) => one.role === input.role && one.operation_id === input.operation_id);
  if (candidate === undefined) throw new Superseded(`no ${input.role} is planned`);
  if (candidate.is_spare) return candidate;
  const { image_id } = row.operation ?? {};
  const fitting = (await readSpares(services.table)).filter(
    (spare) => isSpareFor(spare, machineWish(row)) && (image_id === undefined || spare.image_id === image_id),
  );
  // Apart from the one that stays, if there is a choice.
  const beside = await zonesBeside(services, row, input.role);
  const isBeside = (spare: AmphoraRow) => Number(beside.has(spare.cached_zone ?? ''));
  for (const spare of fitting.toSorted((a, b) => isBeside(a) - isBeside(b))) {
    const claimed: Candidate = { ...candidate, amphora_id: spare.id, is_spare: true };
    if (await claim(services, input, claimed, spare)) return claimed;
  }
  return candidate;
};

/** @returns false when it is a spare no more, or on a host with another amphora of the load balancer */
async function claim(services: Services, input: OfOperation, claimed: Candidate, { host_id }: AmphoraRow) {
  const { load_balancer_id } = input;
  try {
    await changeLoadBalancer(
      services,
      input.load_balancer_id,
      (row) => ({ candidates: [...held(row, input).candidates.filter((one) => one.role !== claimed.role), claimed] }),
      () => [
        claimOperation(services, claimed.amphora_id, load_balancer_id, claimed.role),
        ...(host_id === undefined ? [] : [placeClaimed(host_id, claimed.amphora_id, load_balancer_id)]),
      ],
    );
  } catch (error) {
    if (error instanceof TransactionCancelled && error.hasFailedCondition) return false;
    throw error;
  }
  await expectSigns(services, claimed.amphora_id, input.load_balancer_id);
  return true;
}

export const spareTasks = { ClaimSpare };
