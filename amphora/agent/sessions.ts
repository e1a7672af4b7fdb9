// Sessions in stick tables, across a reload: a worker hands its tables over only once it has settled with its peers whose tables
// are the newest, for which it gives those before it five seconds, and the other amphora as long again.
import { setTimeout as sleep } from 'node:timers/promises';
import type { RuntimeApi } from './runtime-api.ts';

const settleTimeoutMs = 11_000;
const pollMs = 20;

/** Both halves of HAProxy's resynchronisation, with the process before and with remote peers, in its flags of a peers section. */
const settledFlags = 0x3;

/** Entries of all stick tables, as `show table` counts them. */
export function countSessions(tables: string): number {
  return [...tables.matchAll(/^# table: .*\bused:(\d+)/gm)].reduce((sum, [, used]) => sum + Number(used), 0);
}

/** Of `show peers`; what cannot be read is not waited for. */
export function isSettled(peers: string): boolean {
  const sections = [...peers.matchAll(/ id=\S+ disabled=0 flags=0x([0-9a-f]+) /g)];
  return sections.every(([, flags]) => (Number.parseInt(flags!, 16) & settledFlags) === settledFlags);
}

/** Before a reload: nothing to wait for as long as nobody has a session. */
export async function settleSessions(runtime: RuntimeApi, worker: number): Promise<void> {
  if (countSessions(await runtime.ask(worker, 'show table')) === 0) return;
  await settle(runtime, worker, settleTimeoutMs);
}

/** @param timeoutMs how long is waited at most */
export async function settle(runtime: RuntimeApi, worker: number, timeoutMs: number): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  while (!isSettled(await runtime.ask(worker, 'show peers')) && Date.now() < deadline) await sleep(pollMs);
}
