// Tasks that only remember: Octavia's database and lifecycle tasks.
import { beginning, markAllFound, markLost, measureFailover } from '../controller/failover.ts';
import { requestWhatIsPending } from '../controller/requests.ts';
import { type AmphoraRow, rolesOf } from '../domain/amphora.ts';
import { Superseded } from '../domain/errors.ts';
import type { Candidate, LoadBalancerRow } from '../domain/load-balancer.ts';
import type { AmphoraRole } from '../domain/statuses.ts';
import { readAmphora, readAmphorae, setAmphora } from '../repositories/amphorae.ts';
import { commitApplied } from '../repositories/commits.ts';
import { commitDeleted } from '../repositories/erasures.ts';
import { expectSigns, noteRollUp } from '../repositories/health.ts';
import { writeOutIntents } from '../repositories/intents.ts';
import { commitFailed } from '../repositories/leftovers.ts';
import { changeLoadBalancer } from '../repositories/load-balancers.ts';
import { readLoadBalancer, readTree } from '../repositories/trees.ts';
import type { Services } from '../runtime/services.ts';
import { type FlowError, said } from './flow-error.ts';
import { held, type OfOperation, owned } from './held.ts';
import { promotionTasks } from './promotion.ts';
import { type Carried, uncarried } from './refused.ts';
import { rotationEndTasks } from './rotation.ts';
import { allServing, requestForServing, servingMeanwhile } from './serving.ts';
import { spareTasks } from './spares.ts';
import { type Task, taskHandler } from './task.ts';

/**
 * Writes down which amphorae are to be made, before any is; again: the same ones.
 * @param besides what else becomes of the load balancer's row then
 */
async function planned(
  services: Services,
  input: OfOperation,
  roles: AmphoraRole[],
  besides: (row: LoadBalancerRow) => Partial<LoadBalancerRow> = () => ({}),
): Promise<Candidate[]> {
  const ids = roles.map(() => services.newId());
  let candidates: Candidate[] = [];
  await changeLoadBalancer(services, input.load_balancer_id, (row) => {
    const mine = held(row, input).candidates.filter((one) => one.execution === input.execution);
    candidates = mine.filter((one) => roles.includes(one.role));
    if (candidates.length === roles.length) return undefined;
    candidates = roles.map((role, index) => ({
      operation_id: input.operation_id,
      execution: input.execution,
      role,
      amphora_id: ids[index]!,
      is_spare: false,
    }));
    // Those of an earlier attempt belong to nobody from here on, and are swept.
    return { ...besides(row), candidates: [...mine.filter((one) => !roles.includes(one.role)), ...candidates] };
  });
  return candidates;
}

const PlanAmphorae: Task<OfOperation> = async (services, input) => {
  const row = await owned(services, input);
  // An earlier attempt may have died between handing its amphorae over and its end: this one makes all anew.
  return { amphorae: await planned(services, input, rolesOf(row.topology), () => ({ amphora_ids: [] })) };
};

/** Those an administrator gave up are replaced too, under ids that nobody has. */
const missingOf = (services: Services, { topology }: LoadBalancerRow, present: AmphoraRow[]) =>
  rolesOf(topology)
    .filter((role) => !present.some((one) => one.role === role))
    .map((role) => ({ amphora_id: services.newId(), role }));

/** Which amphorae are replaced, the standby first: service hangs on the other meanwhile. */
const PlanFailover: Task<OfOperation & { amphora_id?: string }> = async (services, input) => {
  const row = await owned(services, input);
  const ids =
    input.amphora_id === undefined ? row.amphora_ids : row.amphora_ids.filter((id) => id === input.amphora_id);
  const amphorae = await readAmphorae(services.table, ids);
  const planned = amphorae.map(({ id, role }) => ({ amphora_id: id, role }));
  const missing = input.amphora_id === undefined ? missingOf(services, row, amphorae) : [];
  const standbyFirst = [...planned, ...missing].toSorted(
    (a, b) => Number(b.role === 'BACKUP') - Number(a.role === 'BACKUP'),
  );
  return { amphorae: standbyFirst };
};

/** Of a pair that still serves, whatever is written goes into force from here on, before the pair is whole again. */
const PlanReplacement: Task<OfOperation & { amphora_id: string; role: AmphoraRole }> = async (services, input) => {
  const besides = (row: LoadBalancerRow) => ({ ...servingMeanwhile(row, input), ...beginning(row, input) });
  const [candidate] = await planned(services, input, [input.role], besides);
  await requestForServing(services, input);
  return candidate;
};

/** A built amphora is its load balancer's, or a spare. */
const FinalizeAmphora: Task<{
  amphora_id: string;
  load_balancer_id?: string | null;
  role?: AmphoraRole | null;
}> = async (services, { amphora_id, load_balancer_id = null, role = null }) => {
  const status = load_balancer_id === null ? 'READY' : 'ALLOCATED';
  const isFinal = await setAmphora(
    services,
    amphora_id,
    { status, load_balancer_id, role },
    { oneOf: { status: ['BOOTING', status] } },
  );
  if (!isFinal) {
    const row = await readAmphora(services.table, amphora_id);
    // Run again, and the spare was claimed in between.
    if (row?.status === 'ALLOCATED') return;
    throw new Superseded(`amphora ${amphora_id} is given up by now`);
  }
  await expectSigns(services, amphora_id, load_balancer_id);
};

/** A candidate takes the place of the amphora it replaces; from here on a heartbeat of the old one counts for nothing. */
const ReplaceAmphora: Task<OfOperation & { old_amphora_id: string; amphora_id: string }> = async (services, input) => {
  await changeLoadBalancer(services, input.load_balancer_id, (row) => {
    const { amphora_ids, candidates } = held(row, input);
    if (!candidates.some((one) => one.amphora_id === input.amphora_id)) return undefined;
    return {
      ...allServing(row),
      amphora_ids: [...amphora_ids.filter((id) => id !== input.old_amphora_id), input.amphora_id],
      candidates: candidates.filter((one) => one.amphora_id !== input.amphora_id),
    };
  });
  await setAmphora(services, input.old_amphora_id, { status: 'PENDING_DELETE' });
  await noteRollUp(services, input.amphora_id, '');
};

interface Pushed {
  generation: number;
  refused: Carried;
}

/** This ran before and was cut off after its commit: only what comes next may still have to be asked for. */
async function isDoneBefore(
  services: Services,
  { load_balancer_id, operation_id, execution }: OfOperation,
): Promise<boolean> {
  const row = await readLoadBalancer(services.table, load_balancer_id);
  if (row === undefined || row.lease?.execution === execution || row.operation?.id === operation_id) return false;
  await requestWhatIsPending(services, row, `-after-${execution}`);
  return true;
}

/** The end of a flow that brought a load balancer into force: candidates are its amphorae, the lease is given back. */
const ActivateLoadBalancer: Task<OfOperation & { pushed: Pushed }> = async (services, input) => {
  if (await isDoneBefore(services, input)) return;
  const row = await owned(services, input);
  await markAllFound(services, row);
  await changeLoadBalancer(services, row.id, (now) => {
    const { amphora_ids, candidates } = held(now, input);
    if (candidates.length === 0) return undefined;
    return { amphora_ids: [...amphora_ids, ...candidates.map((one) => one.amphora_id)], candidates: [] };
  });
  const tree = await readTree(services.table, row.id);
  if (tree === undefined) return;
  const outcome = { generation: input.pushed.generation, refused: uncarried(input.pushed.refused) };
  const { after } = await commitApplied(services, tree, outcome, {
    execution: input.execution,
    operation_id: input.operation_id,
    operation_timeout_ms: services.config.operation_timeout_ms,
  });
  if (row.operation?.kind === 'failover') await measureFailover(services, row.operation);
  if (after === undefined) await letGo(services, input);
  else await requestWhatIsPending(services, after, `-after-${input.execution}`);
};

/** Nothing was to be committed, as when the load balancer is to be deleted by now: somebody else's turn. */
async function letGo(services: Services, { load_balancer_id, execution }: OfOperation): Promise<void> {
  const change = await changeLoadBalancer(services, load_balancer_id, (row) =>
    row.lease?.execution === execution ? { lease: null } : undefined,
  );
  if (change) await requestWhatIsPending(services, change.after, `-after-${execution}`);
}

const RemoveLoadBalancer: Task<OfOperation> = async (services, input) => {
  // What was accepted and is not written yet has taken its quota: it is given back with the row.
  await writeOutIntents(services, input.load_balancer_id);
  const tree = await readTree(services.table, input.load_balancer_id);
  if (tree === undefined) return;
  await commitDeleted(services, tree);
};

/** The flow is over and did not reach its end. A later operation that waits is set going. */
const FailOperation: Task<OfOperation & { error: FlowError }> = async (services, input) => {
  const row = await readLoadBalancer(services.table, input.load_balancer_id);
  if (row === undefined || row.lease?.execution !== input.execution) return;
  if (row.operation !== null && row.operation.id !== input.operation_id) return letGo(services, input);
  // Before the last write: whoever is cut off in between comes by again.
  await markLost(services, row);
  const transitions = await commitFailed(services, row.id, said(input.error), input);
  if (transitions.length === 0) await letGo(services, input);
};

/** What this operation has made so far and nobody uses: read from the record, not from the flow's memory. */
const PlanRevert: Task<OfOperation> = async (services, input) => {
  const row = await readLoadBalancer(services.table, input.load_balancer_id);
  const isHeld = row?.lease?.execution === input.execution;
  const candidates = (isHeld ? row.candidates : []).filter((one) => one.operation_id === input.operation_id);
  return { amphorae: candidates.map(({ amphora_id }) => ({ amphora_id })) };
};

const ForgetCandidates: Task<OfOperation> = async (services, input) => {
  await changeLoadBalancer(services, input.load_balancer_id, ({ candidates, lease }) => {
    if (lease?.execution !== input.execution) return undefined;
    const others = candidates.filter((one) => one.operation_id !== input.operation_id);
    return others.length === candidates.length ? undefined : { candidates: others };
  });
};

/** All machines of a load balancer that is to go, those on their way too. */
const PlanDeletion: Task<OfOperation> = async (services, input) => {
  const row = await owned(services, input);
  const ids = [...row.amphora_ids, ...row.candidates.map((one) => one.amphora_id)];
  return { amphorae: ids.map((amphora_id) => ({ amphora_id })) };
};

/**
 * What a build made and cannot use is marked, so that nothing else takes it.
 * @throws Superseded when a load balancer has it by now: it is that one's to revert
 */
const AbandonAmphora: Task<{ amphora_id: string }> = async (services, { amphora_id }) => {
  const unclaimed = { oneOf: { status: ['BOOTING', 'READY', 'PENDING_DELETE'] } };
  if (await setAmphora(services, amphora_id, { status: 'PENDING_DELETE' }, unclaimed)) return;
  if (await readAmphora(services.table, amphora_id)) throw new Superseded(`amphora ${amphora_id} is in use`);
};

export const lifecycleTasks = {
  ...promotionTasks,
  ...rotationEndTasks,
  ...spareTasks,
  PlanAmphorae,
  PlanFailover,
  PlanReplacement,
  PlanRevert,
  PlanDeletion,
  FinalizeAmphora,
  ReplaceAmphora,
  ActivateLoadBalancer,
  RemoveLoadBalancer,
  ForgetCandidates,
  AbandonAmphora,
  FailOperation,
};

export const lifecycleHandler = (services: Services) => taskHandler(services, lifecycleTasks);
