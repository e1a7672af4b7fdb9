// Housekeeping, certificates of users: sees that what references lead to has changed, is gone or is back, and has it applied. Of
// load balancers it reads only those that something happened to.
import { announce } from '../controller/announce.ts';
import { keepCopy, readAtSource } from '../controller/certificate-copies.ts';
import { requestApplyAgain, requestWhatIsPending } from '../controller/requests.ts';
import { addressesIn, type CertificateReference } from '../domain/certificate-references.ts';
import type { QuotaLimits } from '../domain/quota.ts';
import { timestamp } from '../domain/time.ts';
import type { Child, ChildRow, Skeleton } from '../domain/tree.ts';
import { copyIdOf } from '../drivers/certificates/certificate-copies.ts';
import { CertificateUnreadable, CertificateUnusable } from '../drivers/certificates/certificate-manager.ts';
import {
  type CertificateUse,
  type CopyState,
  forgetUse,
  readCertificateReferences,
  recordApplied,
  writeCopyState,
} from '../repositories/certificate-references.ts';
import { changeTree } from '../repositories/changes.ts';
import { readSkeleton } from '../repositories/trees.ts';
import type { Services } from '../runtime/services.ts';
import { dropUnusedCopies } from './unused-certificate-copies.ts';

/** Reads at once: Secrets Manager takes thousands a second, and each takes a few milliseconds. */
const readsAtOnce = 20;

type Copies = Map<string, CopyState>;

const isRefusal = (error: unknown): boolean =>
  error instanceof CertificateUnreadable || error instanceof CertificateUnusable;

const neverRead = (copy_id: string): CopyState => ({
  ...{ copy_id, digest: null, written_at: 0, lost_since: null },
  ...{ expires_at: null, is_expiry_told: true },
});

/** @returns what is known of it now; as before when its place does not answer, which says nothing of it */
async function refreshed(services: Services, one: CertificateReference, known: CopyState | undefined) {
  try {
    return await keepCopy(services, one, await readAtSource(services, one), known);
  } catch (error) {
    if (!isRefusal(error)) {
      services.logger.warn('certificates could not be looked after', { error, references: addressesIn([one]) });
      return known;
    }
    if (known?.lost_since) return known;
    const lost = { ...(known ?? neverRead(copyIdOf(one))), lost_since: services.clock.now() };
    await writeCopyState(services.table, lost);
    return lost;
  }
}

async function refreshAll(services: Services, uses: CertificateUse[], known: Copies): Promise<Copies> {
  const references = new Map(uses.flatMap(({ references }) => references).map((one) => [copyIdOf(one), one]));
  const waiting = [...references];
  const now: Copies = new Map();
  const work = async () => {
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      const [id, reference] = next;
      const state = await refreshed(services, reference, known.get(id));
      if (state !== undefined) now.set(id, state);
    }
  };
  await Promise.all(Array.from({ length: readsAtOnce }, work));
  return now;
}

/** What its references lead to; null for what cannot be read. */
const digestsOf = (use: CertificateUse, copies: Copies): Record<string, string | null> =>
  Object.fromEntries(use.references.map(copyIdOf).map((id) => [id, digestIn(copies.get(id))]));

const digestIn = (state: CopyState | undefined): string | null =>
  state === undefined || state.lost_since !== null ? null : state.digest;

const isSame = (a: Record<string, string | null>, b: Record<string, string | null>): boolean =>
  Object.keys(a).length === Object.keys(b).length && Object.entries(a).every(([id, digest]) => b[id] === digest);

async function tell(services: Services, use: CertificateUse, known: Copies, now: Copies): Promise<void> {
  const about = { id: use.load_balancer_id, project_id: use.project_id, name: '' };
  for (const one of use.references) {
    const [before, after] = [known.get(copyIdOf(one)), now.get(copyIdOf(one))];
    const news = newsOf(before, after, timestamp(services.clock.now()));
    if (news === undefined) continue;
    const detail = { references: addressesIn([one]), expires_at: after?.expires_at ?? null };
    await announce(services, about, news, use.kind, use.id, detail);
  }
}

function newsOf(before: CopyState | undefined, after: CopyState | undefined, now: string) {
  if (after === undefined) return undefined;
  const wasLost = (before?.lost_since ?? null) !== null;
  if (after.lost_since !== null) return wasLost ? undefined : 'certificate_unreadable';
  if (wasLost) return 'certificate_readable';
  return hasJustExpired(after, now) ? 'certificate_expired' : undefined;
}

const hasJustExpired = ({ expires_at, is_expiry_told }: CopyState, now: string): boolean =>
  expires_at !== null && expires_at < now && !is_expiry_told;

/** Told once, whoever uses it. */
async function noteExpiries(services: Services, copies: Copies): Promise<void> {
  const now = timestamp(services.clock.now());
  for (const state of copies.values())
    if (hasJustExpired(state, now)) await writeCopyState(services.table, { ...state, is_expiry_told: true });
}

const rowOf = (skeleton: Skeleton, { id }: CertificateUse): Child | undefined => {
  const listener = skeleton.listeners.find((row) => row.id === id);
  if (listener !== undefined) return { kind: 'listener', row: listener };
  const pool = skeleton.pools.find((row) => row.id === id);
  return pool && { kind: 'pool', row: pool };
};

/** What is in ERROR is healed by a write of its own, which changes nothing but that it is tried again. */
async function tryAgain(
  services: Services,
  skeleton: Skeleton,
  uses: CertificateUse[],
): Promise<Map<string, ChildRow>> {
  const { operation_timeout_ms } = services.config;
  // It was seen that nobody works on it; who began meanwhile finds this beside it. Nothing is made, so no quota is asked.
  const policy = { conflict_policy: 'queue' as const, operation_timeout_ms, quotas: {} as QuotaLimits };
  const inError = (one: Skeleton) =>
    uses.map((use) => rowOf(one, use)).filter((child) => child?.row.provisioning_status === 'ERROR');
  const accepted = await changeTree(services, policy, skeleton.loadBalancer.id, (one) => ({
    update: inError(one).map((child) => ({ child: child!, set: {} })),
  }));
  await requestWhatIsPending(services, accepted.loadBalancer);
  return accepted.rows;
}

interface Due {
  use: CertificateUse;
  digests: Record<string, string | null>;
  /** It leads to something else than was applied. What is gone is not: its copy goes on being served. */
  isChanged: boolean;
}

/** A use that is looked at for the first time was applied with the copies there were. */
function dueOf(use: CertificateUse, known: Copies, now: Copies): Due {
  const digests = digestsOf(use, now);
  const applied = use.applied ?? digestsOf(use, known);
  const isChanged = Object.entries(digests).some(([id, digest]) => digest !== null && digest !== applied[id]);
  return { use, digests, isChanged };
}

/**
 * Whoever holds it, or changes it just now, may have read what was there before: the next round looks again. And one in ERROR is for
 * its user to bring back: a write of ours would set its creation or failover going, which nobody asked for.
 */
const isBusy = ({ loadBalancer: { provisioning_status, lease } }: Skeleton, now: number): boolean =>
  provisioning_status !== 'ACTIVE' || (lease !== null && lease.until > now);

/** @returns whether something was asked for */
async function applyTo(services: Services, loadBalancerId: string, due: Due[]): Promise<boolean> {
  const skeleton = await readSkeleton(services.table, loadBalancerId);
  const there = due.filter(({ use }) => skeleton !== undefined && rowOf(skeleton, use) !== undefined);
  for (const { use } of due.filter((one) => !there.includes(one))) await forgetUse(services.table, use);
  if (skeleton === undefined || there.length === 0 || isBusy(skeleton, services.clock.now())) return false;
  const isHealable = ({ use, digests }: Due) =>
    rowOf(skeleton, use)!.row.provisioning_status === 'ERROR' && !Object.values(digests).includes(null);
  const healable = there.filter(isHealable).map(({ use }) => use);
  const isChanged = there.some((one) => one.isChanged);
  // A write brings everything with it.
  const written = healable.length > 0 ? await tryAgain(services, skeleton, healable) : new Map<string, ChildRow>();
  if (written.size === 0 && isChanged)
    await requestApplyAgain(services, skeleton.loadBalancer, `certificates-${services.clock.now()}`);
  for (const { use, digests } of there)
    await recordApplied(services.table, use, digests, written.get(use.id)?.generation ?? use.generation);
  return written.size > 0 || isChanged;
}

/** @returns load balancers that get their certificates anew */
export async function lookAfterCertificates(services: Services): Promise<number> {
  const { uses, copies: known } = await readCertificateReferences(services.table);
  if (uses.length === 0 && known.size === 0) return 0;
  const copies = await refreshAll(services, uses, known);
  for (const use of uses) await tell(services, use, known, copies);
  await noteExpiries(services, copies);
  const due = uses
    .filter(({ references }) => references.length > 0)
    .map((use) => dueOf(use, known, copies))
    .filter(({ use, digests }) => use.applied === undefined || !isSame(use.applied, digests));
  // One that is deleted just now keeps no other from its certificates.
  const byLoadBalancer = [...Map.groupBy(due, ({ use }) => use.load_balancer_id)];
  const done = await Promise.allSettled(byLoadBalancer.map(([id, of]) => applyTo(services, id, of)));
  await dropUnusedCopies(services, uses, known, copies);
  const failures = done.filter((one) => one.status === 'rejected').map(({ reason }) => reason as unknown);
  if (failures.length > 0) throw new AggregateError(failures, `certificates of ${failures.length} load balancers`);
  return done.filter((one) => one.status === 'fulfilled' && one.value).length;
}
