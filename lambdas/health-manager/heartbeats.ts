// Health manager, intake: signed heartbeats from the queue, each amphora's newest only, one write per amphora and batch.
import type { Heartbeat, HeartbeatPart, SignedHeartbeat } from '../../amphora/agent-api.ts';
import { markFound } from '../controller/failover.ts';
import { requestRights } from '../controller/requests.ts';
import type { AmphoraRow } from '../domain/amphora.ts';
import { readAmphorae } from '../repositories/amphorae.ts';
import { type HealthRow, noteAlive, readHealth, recordSign, type Sign } from '../repositories/health.ts';
import { isPossibleId } from '../repositories/keys.ts';
import { recordLatePages } from '../repositories/member-statistics.ts';
import type { Services } from '../runtime/services.ts';
import { type SqsHandler, sqsHandler } from '../runtime/sqs-batch.ts';
import { countedBy, newestOf, pagesOf, sequenceOf } from './digest.ts';
import { heartbeatKeysOf, isSignedBy, useNextKey } from './heartbeat-keys.ts';
import { rollUpNews, takeInParts } from './roll-up.ts';
import { suspicionOf, takeInSuspicion } from './suspicions.ts';

type Said = Heartbeat | HeartbeatPart;

const isPart = (said: Said): said is HeartbeatPart => 'part' in said;

/** What one amphora says that is its own, oldest first. */
async function genuine(services: Services, amphora: AmphoraRow, signed: SignedHeartbeat[]): Promise<Said[]> {
  const keys = heartbeatKeysOf(services, amphora);
  const known = signed.map((one) => ({ one, key: keys.find(({ text }) => isSignedBy(text, one)) }));
  const own = known.filter(({ key }) => key).map(({ one }) => JSON.parse(one.payload) as Said);
  if (own.length < signed.length)
    services.logger.warn('heartbeat with a wrong signature dropped', { amphora_id: amphora.id });
  if (known.some(({ key }) => key?.use === 'next')) await useNextKey(services, amphora);
  return own.filter((one) => one.id === amphora.id).toSorted((a, b) => (sequenceOf(a) < sequenceOf(b) ? -1 : 1));
}

/** Those that were not taken in before, each once: the queue may hand one over twice, in one batch too. */
function freshOf(heartbeats: Heartbeat[], taken: string): Heartbeat[] {
  const bySequence = new Map(heartbeats.map((one) => [sequenceOf(one), one]));
  return [...bySequence].filter(([sequence]) => sequence > taken).map(([, one]) => one);
}

const without = (heartbeats: Heartbeat[], fresh: Heartbeat[]): Heartbeat[] => {
  const sequences = new Set(fresh.map(sequenceOf));
  return heartbeats.filter((one) => !sequences.has(sequenceOf(one)));
};

/** A late heartbeat may have the only report of a page: newer ones have other pages. */
async function takeInLatePages(services: Services, amphora: AmphoraRow, late: Heartbeat[]): Promise<void> {
  if (amphora.load_balancer_id === null) return;
  await recordLatePages(services, amphora.load_balancer_id, amphora.id, pagesOf(late));
}

/** What an amphora says that has nothing new to say: its clock may have been set back, and that it speaks is what counts. */
async function takeInOld(services: Services, amphora: AmphoraRow, health: HealthRow | undefined): Promise<void> {
  const now = services.clock.now();
  const isLongAgo = health !== undefined && health.last_seen < now - services.config.heartbeat_timeout_ms / 2;
  if (isLongAgo) await noteAlive(services, amphora.id);
}

const signOf = (
  services: Services,
  amphora: AmphoraRow,
  health: HealthRow | undefined,
  newest: Heartbeat,
  fresh: Heartbeat[],
): Sign => ({
  row: {
    amphora_id: amphora.id,
    load_balancer_id: amphora.load_balancer_id,
    zone: amphora.cached_zone,
    last_seen: services.clock.now(),
    boot: newest.boot,
    sequence: sequenceOf(newest),
    generation: newest.generation,
    digest: newest.digest,
    active: Object.fromEntries(Object.entries(newest.listeners).map(([id, { stats }]) => [id, stats.conns])),
    suspect: suspicionOf(newest.peer),
    // One that waited in the queue when its machine ended says nothing; another agent on it does.
    ...(health?.ended_at != null && newest.boot !== health.boot ? { ended_at: null } : {}),
  },
  counted: countedBy(newest, health),
  pages: pagesOf(fresh),
  after: health?.sequence,
});

/**
 * Takes in one amphora's heartbeats of a batch. Those older than one taken in before came twice or late, and count for nothing,
 * unless nothing else has come for long.
 */
async function takeIn(
  services: Services,
  amphora: AmphoraRow,
  health: HealthRow | undefined,
  heartbeats: Heartbeat[],
): Promise<void> {
  if (heartbeats.length === 0) return;
  const fresh = freshOf(heartbeats, health?.sequence ?? '');
  await takeInLatePages(services, amphora, without(heartbeats, fresh));
  const newest = newestOf(fresh);
  if (newest === undefined) return takeInOld(services, amphora, health);
  if (!(await recordSign(services, signOf(services, amphora, health, newest, fresh)))) {
    const since = (await readHealth(services.table, [amphora.id])).get(amphora.id);
    const isOvertaken = since !== undefined && since.sequence !== health?.sequence;
    return isOvertaken ? takeIn(services, amphora, since, heartbeats) : undefined;
  }
  await markFound(services, amphora);
  await takeInLogs(services, amphora.id, fresh);
  await takeInSuspicion(services, amphora, health, suspicionOf(newest.peer));
  await rollUpNews(services, amphora, health, newest);
}

/** Rights are given by a function that reaches amphorae; this one does not. */
async function takeInLogs(services: Services, amphora_id: string, heartbeats: Heartbeat[]): Promise<void> {
  const dropped = heartbeats.reduce((sum, { logs }) => sum + (logs?.dropped ?? 0), 0);
  if (dropped > 0) services.logger.warn('lines of logs were dropped', { amphora_id, dropped });
  const archives = heartbeats.flatMap(({ logs }) => logs?.archives ?? []);
  if (archives.length === 0 || services.config.objects_driver === 'noop') return;
  await requestRights(services, { amphora_id, archives }, sequenceOf(newestOf(heartbeats)!));
}

async function takeInSaid(services: Services, amphora: AmphoraRow, health: HealthRow | undefined, said: Said[]) {
  const heartbeats = said.filter((one): one is Heartbeat => !isPart(one));
  await takeIn(services, amphora, health, heartbeats);
  await takeInParts(services, amphora, health, said.filter(isPart));
}

/** What is signed by nobody there is cannot be genuine, and would keep the others of its batch from being read. */
const isWhole = ({ amphora_id, payload, hmac }: SignedHeartbeat): boolean =>
  isPossibleId(String(amphora_id)) && typeof payload === 'string' && typeof hmac === 'string';

/** @returns those that could not be taken in: one amphora's trouble is not the others' */
async function takeInBatch(services: Services, signed: SignedHeartbeat[]): Promise<Set<SignedHeartbeat>> {
  const byAmphora = Map.groupBy(signed.filter(isWhole), (one) => one.amphora_id);
  const failed = new Set<SignedHeartbeat>();
  const ids = [...byAmphora.keys()];
  const [amphorae, health] = await Promise.all([readAmphorae(services.table, ids), readHealth(services.table, ids)]);
  await Promise.all(
    amphorae.map(async (amphora) => {
      const own = byAmphora.get(amphora.id) ?? [];
      try {
        await takeInSaid(services, amphora, health.get(amphora.id), await genuine(services, amphora, own));
      } catch (error) {
        services.logger.warn('heartbeats go back to their queue', { amphora_id: amphora.id, error });
        for (const one of own) failed.add(one);
      }
    }),
  );
  return failed;
}

export const heartbeatsHandler = (services: Services): SqsHandler =>
  sqsHandler<SignedHeartbeat>(
    services.logger,
    () => 'batch',
    (_key, bodies) => takeInBatch(services, bodies),
  );
