// Brings a staged configuration into force with the least disturbance: Runtime API where only members changed, else a
// reload; or leaves everything as it was.
import { rmSync, writeFileSync } from 'node:fs';
import type { ConfigurationApplied } from '../agent-api.ts';
import { compare, type MemberChange, type Outline, outline } from './config-diff.ts';
import type { Configuration, ConfigurationStore } from './configuration.ts';
import { readComplaint, toRejection } from './haproxy-log.ts';
import { HaproxyFailed, type HaproxyProcess } from './haproxy-process.ts';
import { log, textOf } from './log.ts';
import { tellOfUnlogged } from './logs/after-reload.ts';
import type { MemberChanger } from './member-changes.ts';
import { serversStateFor } from './servers-state.ts';
import { ConfigurationRefused, checkNewBinds } from './validation.ts';

export interface Target {
  store: ConfigurationStore;
  haproxy: HaproxyProcess;
  members: MemberChanger;
}

/** @throws ConfigurationRefused when HAProxy does not take it; the last good one is in force then */
export async function bringIntoForce(
  target: Target,
  candidate: Configuration,
): Promise<ConfigurationApplied['method']> {
  const { store, haproxy } = target;
  const isRunning = await haproxy.isRunning();
  await checkNewBinds(candidate.text, isRunning ? (store.current?.text ?? null) : null);
  if (!isRunning || store.current === null) return startWith(target, candidate);
  const current = outline(store.current.text);
  const next = outline(candidate.text);
  const difference = compare(current, next);
  if (difference.kind === 'none') return installed(target, candidate, 'none');
  if (difference.kind === 'members' && (await changeMembers(target, difference.changes))) {
    return installed(target, candidate, 'runtime');
  }
  return reloadWith(target, candidate, current, next);
}

function installed<Method extends ConfigurationApplied['method']>(
  target: Target,
  candidate: Configuration,
  method: Method,
): Method {
  target.store.install(candidate);
  target.store.commit(candidate);
  return method;
}

/** False when a reload has to do it, which also puts right what was done by halves. */
async function changeMembers(target: Target, changes: MemberChange[]): Promise<boolean> {
  try {
    const { worker } = await target.haproxy.runtime.showProcesses();
    if (worker === null) return false;
    await target.members.apply(worker, changes);
    return true;
  } catch (error) {
    log('members are changed by a reload', { reason: textOf(error) });
    return false;
  }
}

async function startWith(target: Target, candidate: Configuration): Promise<'start'> {
  target.store.install(candidate);
  try {
    await target.haproxy.start();
  } catch (error) {
    // Supervision would go on with whatever text is there: first the text, then the next try.
    await target.haproxy.stop();
    target.store.restore();
    if (target.store.current !== null) target.haproxy.start().catch(() => {});
    throw refusal(error);
  }
  target.members.forgetDepartures();
  target.store.commit(candidate);
  return 'start';
}

async function reloadWith(target: Target, candidate: Configuration, from: Outline, to: Outline): Promise<'reload'> {
  const { store, haproxy } = target;
  const stateFile = `${candidate.load_balancer_id}/servers-state`;
  const master = haproxy.pid;
  await saveServersState(target, stateFile, from, to);
  store.install(candidate);
  try {
    await haproxy.reload();
  } catch (error) {
    store.restore();
    // HAProxy died on the way and may have been started with the refused text before it was taken back.
    if ((await haproxy.isRunning()) && haproxy.pid !== master) await haproxy.reload().catch(() => haproxy.stop());
    haproxy.start().catch(() => {});
    throw refusal(error);
  } finally {
    rmSync(stateFile, { force: true });
  }
  target.members.forgetDepartures();
  store.commit(candidate);
  void tellOfUnlogged(haproxy.runtime, from);
  return 'reload';
}

/** Without it members are taken for up until their health monitor finds out: a reload is better than none. */
async function saveServersState(target: Target, file: string, from: Outline, to: Outline): Promise<void> {
  try {
    const { worker } = await target.haproxy.runtime.showProcesses();
    const state = await target.haproxy.runtime.ask(worker ?? 0, 'show servers state');
    writeFileSync(file, serversStateFor(state, from, to), { mode: 0o600 });
  } catch (error) {
    log('the state of members is not handed over', { reason: textOf(error) });
  }
}

function refusal(error: unknown): ConfigurationRefused {
  const output = error instanceof HaproxyFailed ? error.output : '';
  const rejection = toRejection(readComplaint(output || textOf(error)));
  return new ConfigurationRefused(rejection, { cause: error });
}
