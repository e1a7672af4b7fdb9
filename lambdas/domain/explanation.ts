// Why a load balancer is PENDING or in ERROR, and what comes next: what an operator would read out of its row and say.
import { isAfterFailover, type LoadBalancerRow } from './load-balancer.ts';
import { isPending } from './statuses.ts';
import { timestamp } from './time.ts';
import { type Child, childrenOf, type Tree } from './tree.ts';

export interface ExplanationContext {
  /** Milliseconds since the epoch. */
  now: number;
  /** Times an operation is set going before it ends in ERROR. */
  attemptsAllowed: number;
  /** conflict_policy=strict: what is in ERROR takes no write. */
  isStrict: boolean;
  /** Amphorae and executions are the operator's business. */
  isAdmin: boolean;
  /** Zones of its amphorae where nothing is failed over at the moment. */
  heldBack: HeldBack[];
}

/** The storm guard of a zone, '' for none in particular: so many of its amphorae were silent at once. */
interface HeldBack {
  zone: string;
  since: number;
  silent: number;
  amphorae: number;
}

/** Of thousands of members, the first ones tell the story. */
const namedAtMost = 20;

const childOf = ({ kind, row }: Child) => ({
  type: kind,
  id: row.id,
  name: 'name' in row ? row.name : '',
  provisioning_status: row.provisioning_status,
  operating_status: row.operating_status,
  ...(row.provisioning_status === 'ERROR' ? { reason: row.reason ?? 'not recorded' } : {}),
  ...(row.waits_for ? { waits_for: row.waits_for } : {}),
});
type ExplainedChild = ReturnType<typeof childOf>;

const called = ({ type, id, name }: ExplainedChild): string => `${type} ${name ? `"${name}" (${id})` : id}`;
const counted = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? '' : 's'}`;

function operationOf({ operation }: LoadBalancerRow, { now, attemptsAllowed }: ExplanationContext) {
  if (operation === null) return null;
  return {
    kind: operation.kind,
    requested_at: timestamp(operation.requested_at),
    deadline: timestamp(operation.deadline),
    is_overdue: operation.deadline <= now,
    attempt: operation.attempts + 1,
    attempts_allowed: attemptsAllowed,
  };
}

function leaseOf({ lease }: LoadBalancerRow, { now, isAdmin }: ExplanationContext) {
  if (lease === null) return null;
  const execution = isAdmin ? { execution: lease.execution } : {};
  return { flow: lease.flow, ...execution, until: timestamp(lease.until), is_expired: lease.until <= now };
}

function workSentences(row: LoadBalancerRow, context: ExplanationContext): string[] {
  const operation = operationOf(row, context);
  const lease = leaseOf(row, context);
  if (operation === null) return [];
  const attempt = operation.attempt > 1 ? `, attempt ${operation.attempt} of ${operation.attempts_allowed}` : '';
  const sentences = [
    `${row.provisioning_status} since ${operation.requested_at}: the ${operation.kind} is not done yet${attempt}.`,
  ];
  if (row.generation > row.applied_generation)
    sentences.push(`Generation ${row.generation} is wanted and generation ${row.applied_generation} is in force.`);
  if (lease?.is_expired)
    sentences.push(`The flow ${lease.flow} held it until ${lease.until} and was not heard of since.`);
  else if (lease) sentences.push(`The flow ${lease.flow} works on it, until ${lease.until} at the latest.`);
  else sentences.push('Nobody works on it at this moment: it waits for its turn in the queue.');
  const { candidates } = row;
  const spares = candidates.filter((one) => one.is_spare).length;
  if (candidates.length > 0)
    sentences.push(
      `${counted(candidates.length, 'new amphora').replace('amphoras', 'amphorae')} on the way, ${spares} of them from the spares.`,
    );
  return sentences;
}

function remedyOf({ failed }: LoadBalancerRow, { isStrict }: ExplanationContext): string {
  if (failed === 'delete') return 'it is half gone, and is only to be deleted again';
  return `${isStrict ? 'a failover' : 'the next write or a failover'} sets it going again, or it is to be deleted`;
}

function nextOf(row: LoadBalancerRow, refused: ExplainedChild[], context: ExplanationContext): string {
  const operation = operationOf(row, context);
  if (operation !== null) {
    if (operation.is_overdue) return 'Its deadline is past: housekeeping looks after it in its next round.';
    const end =
      operation.kind === 'delete'
        ? ', again and again until it is gone'
        : `; after ${context.attemptsAllowed} attempts in all it ends in ERROR`;
    return `If it is not done by ${operation.deadline}, housekeeping sets it going again${end}.`;
  }
  if (isAfterFailover(row))
    return `An amphora that stays silent is failed over again by itself; else ${remedyOf(row, context)}.`;
  if (row.provisioning_status === 'ERROR') return `Nothing happens by itself: ${remedyOf(row, context)}.`;
  if (refused.length > 0) return 'The refused resources stay as they were before until they are changed or deleted.';
  return 'Nothing is waiting.';
}

function statusSentences(row: LoadBalancerRow): string[] {
  if (row.provisioning_status === 'ERROR')
    return [`ERROR: ${row.reason || 'the reason was not recorded'}.`.replace('..', '.')];
  if (row.provisioning_status === 'ACTIVE')
    return [`ACTIVE: what was asked for, generation ${row.generation}, is in force.`];
  return [];
}

const isUnwell = ({ operating_status }: ExplainedChild): boolean =>
  operating_status === 'ERROR' || operating_status === 'DEGRADED';

function pauseSentences({ failover_pause }: LoadBalancerRow, { now }: ExplanationContext): string[] {
  if (!failover_pause || failover_pause.until <= now) return [];
  return [`The last failover failed; the next one is not tried before ${timestamp(failover_pause.until)}.`];
}

const heldBackSentences = ({ heldBack }: ExplanationContext): string[] =>
  heldBack.map(({ zone, since, silent, amphorae }) => {
    const place = zone === '' ? '' : ` of zone ${zone}`;
    return `No silent amphora is failed over since ${timestamp(since)}: ${silent} of ${amphorae}${place} fell silent at once.`;
  });

export function explanationOf(tree: Tree, context: ExplanationContext) {
  const row = tree.loadBalancer;
  const children = childrenOf(tree).map(childOf);
  const pending = children.filter((child) => isPending(child.waits_for ?? child.provisioning_status));
  const refused = children.filter((child) => child.provisioning_status === 'ERROR' && !child.waits_for);
  const unwell = children.filter(isUnwell);
  const summary = [
    ...statusSentences(row),
    ...workSentences(row, context),
    ...pauseSentences(row, context),
    ...heldBackSentences(context),
    ...(pending.length > 0 ? [`${counted(pending.length, 'resource')} below it not in force yet.`] : []),
    ...refused
      .slice(0, namedAtMost)
      .map((child) => `The amphorae refused ${called(child)}, and run without its last change: ${child.reason}`),
    ...unwell.slice(0, namedAtMost).map((child) => `Health checks find ${called(child)} in ${child.operating_status}.`),
  ];
  return {
    id: row.id,
    name: row.name,
    provisioning_status: row.provisioning_status,
    operating_status: row.operating_status,
    summary,
    next: nextOf(row, refused, context),
    reason: row.provisioning_status === 'ERROR' ? (row.reason ?? null) : null,
    generation: row.generation,
    applied_generation: row.applied_generation,
    operation: operationOf(row, context),
    lease: leaseOf(row, context),
    candidates: row.candidates.map(({ role, is_spare, amphora_id }) => ({
      role,
      is_spare,
      ...(context.isAdmin ? { amphora_id } : {}),
    })),
    pending: pending.slice(0, namedAtMost),
    pending_count: pending.length,
    refused: refused.slice(0, namedAtMost),
    refused_count: refused.length,
    unwell: unwell.slice(0, namedAtMost),
    unwell_count: unwell.length,
  };
}
