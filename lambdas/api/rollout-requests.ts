// Roll-outs of an image, beyond Octavia, for administrators: started, watched, paused and ended here; housekeeping does the work.
import { announceRollout } from '../controller/rollouts.ts';
import { conflict, notFound } from '../domain/errors.ts';
import { parseCreate, parseUpdate, rootOf } from '../domain/resource.ts';
import { isOver, newRollout, type RolloutRow, resumed, rollout, rolloutResponse } from '../domain/rollout.ts';
import { timestamp } from '../domain/time.ts';
import { RowChanged, untilWon } from '../repositories/contention.ts';
import {
  changeRollout,
  readCurrentRollout,
  readRollout,
  readRollouts,
  startRollout,
} from '../repositories/rollouts.ts';
import { type ApiRequest, type ApiResponse, param } from '../runtime/http/request.ts';
import { listBody, withFields } from './http/lists.ts';
import { authorizeOwn } from './http/policy.ts';

const known = ['id', 'status', 'reason', 'wave', 'created_at', 'updated_at'];
const shown = (request: ApiRequest, row: RolloutRow) => ({ rollout: withFields(request, rolloutResponse(row)) });

async function found(request: ApiRequest): Promise<RolloutRow> {
  const id = param(request, 'rollout_id');
  const row = await readRollout(request.services.table, id);
  if (row === undefined) throw notFound(rollout.title, id);
  return row;
}

export async function list(request: ApiRequest): Promise<ApiResponse> {
  authorizeOwn(request);
  const rows = await readRollouts(request.services.table);
  const body = await listBody(request, { plural: rollout.plural, rows, show: rolloutResponse, known });
  return { status: 200, body };
}

export async function show(request: ApiRequest): Promise<ApiResponse> {
  authorizeOwn(request);
  return { status: 200, body: shown(request, await found(request)) };
}

/** Reads, judges and writes, again while somebody else is faster. @param decide undefined: nothing is to be changed; may throw */
async function changed(
  request: ApiRequest,
  read: () => Promise<RolloutRow>,
  decide: (row: RolloutRow) => Partial<RolloutRow> | undefined,
): Promise<RolloutRow> {
  const { services } = request;
  return untilWon(services, 'rollout', async () => {
    const row = await read();
    const set = decide(row);
    if (set === undefined) return row;
    const after = await changeRollout(services, row, set);
    if (after === undefined) throw new RowChanged(`rollout ${row.id} changed since it was read`);
    const types = { RUNNING: 'rollout_resumed', PAUSED: 'rollout_paused', CANCELLED: 'rollout_cancelled' } as const;
    await announceRollout(services, types[after.status as keyof typeof types], after);
    return after;
  });
}

const over = ({ id, status }: RolloutRow) => conflict(`Rollout ${id} is ${status} and cannot be updated.`);

/** Starts one; one that is paused or was halted goes on instead. */
export async function create(request: ApiRequest): Promise<ApiResponse> {
  authorizeOwn(request);
  const { services } = request;
  const { status } = parseCreate(rollout, rootOf(rollout, request.body));
  const row = newRollout(services.newId(), status, timestamp(services.clock.now()));
  if (await startRollout(services, row)) return { status: 201, body: shown(request, row) };
  const current = await readCurrentRollout(services.table);
  if (current === undefined) throw conflict('Another rollout ended at this moment. Please try again.');
  if (current.status === 'RUNNING') throw conflict(`Rollout ${current.id} is RUNNING.`);
  const named = { ...request, params: { rollout_id: current.id } };
  const after = await changed(named, () => found(named), toBe('RUNNING'));
  return { status: 200, body: shown(request, after) };
}

const toBe =
  (status: 'RUNNING' | 'PAUSED') =>
  (row: RolloutRow): Partial<RolloutRow> | undefined => {
    if (isOver(row.status)) throw over(row);
    if (row.status === status) return undefined;
    if (status === 'RUNNING') return resumed(row);
    // What is halted stands still, and for a reason that is not to be lost.
    if (row.status === 'HALTED') throw over(row);
    return { status };
  };

export async function update(request: ApiRequest): Promise<ApiResponse> {
  authorizeOwn(request);
  const { status } = parseUpdate(rollout, rootOf(rollout, request.body));
  const after = await changed(
    request,
    () => found(request),
    (row) => (status === undefined ? undefined : toBe(status)(row)),
  );
  return { status: 200, body: shown(request, after) };
}

/** What is under way is let finish, and nothing else is begun. */
export async function cancel(request: ApiRequest): Promise<ApiResponse> {
  authorizeOwn(request);
  await changed(
    request,
    () => found(request),
    (row) => {
      if (isOver(row.status)) throw over(row);
      return { status: 'CANCELLED' };
    },
  );
  return { status: 204 };
}
