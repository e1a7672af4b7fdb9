// Sessions in stick tables, across a reload. HAProxy's old worker teaches the new one, but only when it has settled with its peers whose
// tables are the newest, for which it takes up to ten seconds; and not at all when its connection to the new one fails. What was not
// taught, the agent says.
import { setTimeout as sleep } from 'node:timers/promises';
import { log, textOf } from './log.ts';
import { hasToldAll, isInStep, isLearning, isSettled } from './peers-state.ts';
import type { RuntimeApi } from './runtime-api.ts';
import {
  commandsToTeach,
  commandToAnnounce,
  readMemberNumbers,
  readSessions,
  type Session,
  tablesInUse,
} from './stick-tables.ts';

const pollMs = 20;
/** Before a reload: a lesson under way is let end. */
const learnTimeoutMs = 1_000;
/** After a reload the old worker teaches within a fraction of it. */
const handOverTimeoutMs = 1_000;
/** HAProxies that met halfway call each other again after up to two seconds. */
const inStepTimeoutMs = 3_000;

/** What a worker knew before a reload. */
export interface Remembered {
  sessions: Session[];
  /** It teaches the next worker by itself. */
  isTaught: boolean;
}

export const nothingRemembered: Remembered = { sessions: [], isTaught: false };

async function sessionsOf(runtime: RuntimeApi, worker: number) {
  const tables = tablesInUse(await runtime.ask(worker, 'show table'));
  const numbers = readMemberNumbers(await runtime.ask(worker, 'show servers state'));
  // Not those that count requests, which may be large.
  const backends = new Set([...numbers.keys()].map((member) => member.slice(0, member.indexOf('/'))));
  const sessions: Session[] = [];
  for (const table of tables.filter((name) => backends.has(name))) {
    sessions.push(...readSessions(table, await runtime.ask(worker, `show table ${table}`), numbers));
  }
  return { sessions, numbers };
}

/** Before a reload. Never fails: sessions are worth less than what the reload is for. */
export async function rememberSessions(runtime: RuntimeApi, worker: number): Promise<Remembered> {
  try {
    await waitWhile(() => runtime.ask(worker, 'show peers').then(isLearning), learnTimeoutMs);
    const { sessions } = await sessionsOf(runtime, worker);
    return { sessions, isTaught: isSettled(await runtime.ask(worker, 'show peers')) };
  } catch (error) {
    log('sessions are left to HAProxy', { error: textOf(error) });
    return nothingRemembered;
  }
}

/** After a reload, or a start in its place: the worker that serves now knows what the one before it did. */
export async function restoreSessions(runtime: RuntimeApi, { sessions, isTaught }: Remembered): Promise<void> {
  if (sessions.length === 0) return;
  try {
    const { worker } = await runtime.showProcesses();
    if (worker === null) return;
    if (isTaught) await waitWhile(async () => !isSettled(await runtime.ask(worker, 'show peers')), handOverTimeoutMs);
    const { sessions: known, numbers } = await sessionsOf(runtime, worker);
    const lessons = commandsToTeach(sessions, known, numbers);
    if (lessons.length > 0) log('sessions are restored', { sessions: sessions.length, commands: lessons.length });
    await runtime.askAll(worker, lessons.length > 0 ? lessons : commandToAnnounce(known, numbers));
  } catch (error) {
    log('sessions are not restored', { error: textOf(error) });
  }
}

/** @returns false when it took too long, as when the other amphora is gone */
async function waitForPeers(runtime: RuntimeApi, isThere: (peers: string) => boolean): Promise<boolean> {
  try {
    const { worker } = await runtime.showProcesses();
    if (worker === null) return false;
    return await waitWhile(async () => !isThere(await runtime.ask(worker, 'show peers')), inStepTimeoutMs);
  } catch {
    // It has just ended: whoever starts it again begins with a lesson.
    return false;
  }
}

/** Of who stands by: until it knows what the other amphora does. */
export const learnSessions = (runtime: RuntimeApi): Promise<boolean> => waitForPeers(runtime, isInStep);

/** Of who serves: until the other amphora was told. */
export const tellSessions = (runtime: RuntimeApi): Promise<boolean> => waitForPeers(runtime, hasToldAll);

async function waitWhile(isSo: () => Promise<boolean>, timeoutMs: number): Promise<boolean> {
  const deadline = Date.now() + timeoutMs;
  while (await isSo()) {
    if (Date.now() > deadline) return false;
    await sleep(pollMs);
  }
  return true;
}
