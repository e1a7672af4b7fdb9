// Health manager, roll-up: what an amphora says of listeners, pools and members becomes operating statuses, when it says something new.
import type { Heartbeat, HeartbeatPart } from '../../amphora/agent-api.ts';
import { requestApplyAgain } from '../controller/requests.ts';
import type { AmphoraRow } from '../domain/amphora.ts';
import { operatingStatusChanges, type Report } from '../domain/operating-status.ts';
import type { Tree } from '../domain/tree.ts';
import { addUpDeletedListeners } from '../repositories/deleted-listeners.ts';
import { type HealthRow, noteRollUp, readHealth } from '../repositories/health.ts';
import { dropParts, putPart, readWhole, type StatusPart } from '../repositories/heartbeat-parts.ts';
import { writeOperatingStatuses } from '../repositories/operating-statuses.ts';
import { readTree } from '../repositories/trees.ts';
import type { Services } from '../runtime/services.ts';
import { sequenceOf, statusDigest } from './digest.ts';

/** What a standby said was not listened to: once it is promoted the same words are news, though they are noted late. */
const rolledUpAs = ({ role }: AmphoraRow, digest: string): string => (role === 'BACKUP' ? `${role} ${digest}` : digest);

/** Statuses that differ from the ones rolled up before, or that were judged while something was PENDING. */
export async function rollUpNews(
  services: Services,
  amphora: AmphoraRow,
  health: HealthRow | undefined,
  heartbeat: Heartbeat,
): Promise<void> {
  if (amphora.load_balancer_id === null || amphora.status !== 'ALLOCATED') return;
  const digest = statusDigest(heartbeat);
  if (health?.rolled_up === rolledUpAs(amphora, digest)) return;
  const { generation, listeners, pools, more } = heartbeat;
  const sequence = sequenceOf(heartbeat);
  if (more === undefined) return rollUp(services, amphora, heartbeat, sequence, digest);
  const statuses = Object.fromEntries(Object.entries(listeners).map(([id, { status }]) => [id, { status }]));
  const report = { generation, listeners: statuses, pools };
  await takeInPart(services, amphora, { part: 0, parts: more.parts, sequence, digest, report });
}

/** Whichever comes last has all of them rolled up. */
async function takeInPart(services: Services, amphora: AmphoraRow, part: StatusPart): Promise<void> {
  const reporter = { id: amphora.id, load_balancer_id: amphora.load_balancer_id! };
  await putPart(services, reporter, part);
  const whole = await readWhole(services, reporter, part.sequence);
  if (whole === undefined) return;
  const newest = (await readHealth(services.table, [amphora.id])).get(amphora.id)?.sequence;
  // A newer one has been rolled up, or will be.
  if (newest === part.sequence) await rollUp(services, amphora, whole, part.sequence, part.digest);
  await dropParts(services, reporter, part.sequence);
}

/** Of 200 KB each, which is half a million members. */
const mostParts = 99;
const isPossible = (part: number, parts: number): boolean =>
  Number.isInteger(part) && Number.isInteger(parts) && part >= 1 && part <= parts && parts <= mostParts;

/** What did not fit into a heartbeat; whoever says the same as before is not listened to. */
export async function takeInParts(
  services: Services,
  amphora: AmphoraRow,
  health: HealthRow | undefined,
  parts: HeartbeatPart[],
): Promise<void> {
  if (amphora.load_balancer_id === null || amphora.status !== 'ALLOCATED') return;
  for (const { part, parts: count, digest, pools, ...said } of parts) {
    if (health?.rolled_up === rolledUpAs(amphora, digest) || !isPossible(part, count)) continue;
    await takeInPart(services, amphora, { part, parts: count, sequence: sequenceOf(said), digest, report: { pools } });
  }
}

async function rollUp(
  services: Services,
  amphora: AmphoraRow,
  report: Report,
  sequence: string,
  digest: string,
): Promise<void> {
  const tree = await readTree(services.table, amphora.load_balancer_id!);
  // An amphora that was replaced has no say any more.
  if (!tree?.loadBalancer.amphora_ids.includes(amphora.id)) return;
  // Of a pair only the one that has the VIP carries traffic and sees its members through it.
  const changes = amphora.role === 'BACKUP' ? [] : operatingStatusChanges(tree, report);
  await writeOperatingStatuses(services, tree, changes);
  const { provisioning_status, applied_generation, generation } = tree.loadBalancer;
  const isSettled = provisioning_status === 'ACTIVE' && report.generation === applied_generation;
  if (isSettled) await addUpDeleted(services, amphora.id, tree);
  await noteRollUp(services, amphora.id, isSettled ? rolledUpAs(amphora, digest) : '');
  const isOutdated = provisioning_status === 'ACTIVE' && (report.generation ?? 0) < generation;
  // Whoever runs an older configuration than was committed, or none, lost it: it is pushed again.
  if (isOutdated) await requestApplyAgain(services, tree.loadBalancer, sequence);
}

/** The amphora runs what is there, so what it told of other listeners was all they will ever count. */
function addUpDeleted(services: Services, amphora_id: string, { loadBalancer, listeners }: Tree): Promise<void> {
  const { id, generation } = loadBalancer;
  return addUpDeletedListeners(services, { amphora_id, generation }, id, new Set(listeners.map((one) => one.id)));
}
