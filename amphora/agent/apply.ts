// Brings a staged configuration into force with the least disturbance: Runtime API where only members changed, else a
// reload; or leaves everything as it was.
import { rmSync, writeFileSync } from 'node:fs';
import type { ConfigurationApplied } from '../agent-api.ts';
import type { CertificateChanger } from './certificate-changes.ts';
import { compare, type MemberChange, type Outline, outline } from './config-diff.ts';
import { type Configuration, type ConfigurationStore, filesOf } from './configuration.ts';
import { readComplaint, toRejection } from './haproxy-log.ts';
import { HaproxyFailed, type HaproxyProcess } from './haproxy-process.ts';
import { log, textOf } from './log.ts';
import { tellOfUnlogged } from './logs/after-reload.ts';
import { isSameManifest, readManifest } from './manifest.ts';
import type { MemberChanger } from './member-changes.ts';
import { serversStateFor } from './servers-state.ts';
import { nothingRemembered, type Remembered, rememberSessions, restoreSessions } from './sessions.ts';
import { hasPeers } from './standby.ts';
import { ConfigurationRefused, checkNewBinds } from './validation.ts';

export interface Target {
  store: ConfigurationStore;
  haproxy: HaproxyProcess;
  members: MemberChanger;
  certificates: CertificateChanger;
}

/** @throws ConfigurationRefused when HAProxy does not take it; the last good one is in force then */
export async function bringIntoForce(
  target: Target,
  candidate: Configuration,
): Promise<ConfigurationApplied['method']> {
  const { store, haproxy } = target;
  const running = (await haproxy.isRunning()) ? store.current : null;
  const text = store.inForce(candidate);
  const before = running && store.inForce(running);
  await checkNewBinds(text, before);
  if (running === null || before === null) return startWith(target, candidate);
  const current = outline(before);
  const next = outline(text);
  const difference = compare(current, next);
  const hasSameFiles = isSameManifest(readManifest(running.text), readManifest(candidate.text));
  if (difference.kind === 'none' && hasSameFiles) return installed(target, candidate, 'none');
  const changes = difference.kind === 'members' ? difference.changes : [];
  if (difference.kind !== 'other' && (await changeRunning(target, changes, running, candidate))) {
    return installed(target, candidate, 'runtime');
  }
  return reloadWith(target, candidate, current, next);
}

/** The VIP has come: HAProxy listens from here on, and what it learned while it stood by goes on with it. */
export async function beginToServe(target: Target, configuration: Configuration): Promise<void> {
  const { store, haproxy } = target;
  const members = outline(configuration.text);
  store.stage(configuration);
  const remembered = await remember(target, configuration);
  try {
    await reloadWith(target, configuration, members, members, remembered);
  } catch (error) {
    // It would go on without a listener, as if all were well.
    await haproxy.stop();
    log('HAProxy is started anew to serve', { reason: textOf(error) });
    await haproxy.start();
    await restoreSessions(haproxy.runtime, { ...remembered, isTaught: false });
  }
}

/** The VIP has gone: nobody is listened to from here on, and the worker before ends its connections. */
export async function ceaseToServe(target: Target, configuration: Configuration): Promise<void> {
  const members = outline(configuration.text);
  target.store.stage(configuration);
  try {
    await reloadWith(target, configuration, members, members, nothingRemembered);
  } catch (error) {
    // Rather cut short than served by two.
    await target.haproxy.stop();
    log('HAProxy is ended, since it does not leave', { reason: textOf(error) });
  }
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
async function changeRunning(
  { haproxy, members, certificates }: Target,
  changes: MemberChange[],
  current: Configuration,
  candidate: Configuration,
): Promise<boolean> {
  const [from, to] = [readManifest(current.text), readManifest(candidate.text)];
  const speaksTls = changes.some(({ kind, member }) => kind === 'add' && member.parameters.split(' ').includes('ssl'));
  try {
    const { worker } = await haproxy.runtime.showProcesses();
    if (worker === null) return false;
    // Members refer to certificates, and no certificate goes before who refers to it.
    if (speaksTls || !isSameManifest(from, to)) await certificates.apply(worker, filesOf(candidate), from, to);
    await members.apply(worker, changes);
    await certificates.forget(worker, from, to);
    return true;
  } catch (error) {
    log('changed by a reload instead', { reason: textOf(error) });
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

async function reloadWith(
  target: Target,
  candidate: Configuration,
  from: Outline,
  to: Outline,
  known?: Remembered,
): Promise<'reload'> {
  const { store, haproxy } = target;
  const stateFile = `${candidate.load_balancer_id}/servers-state`;
  const master = haproxy.pid;
  const remembered = known ?? (await remember(target, candidate));
  await saveState(target, stateFile, from, to);
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
  await restoreSessions(haproxy.runtime, remembered);
  target.members.forgetDepartures();
  store.commit(candidate);
  void tellOfUnlogged(haproxy.runtime, from);
  return 'reload';
}

/** Without it members are taken for up until their health monitor finds out: a reload is better than none. */
async function saveState(target: Target, file: string, from: Outline, to: Outline): Promise<void> {
  try {
    const { runtime } = target.haproxy;
    const { worker } = await runtime.showProcesses();
    const state = await runtime.ask(worker ?? 0, 'show servers state');
    writeFileSync(file, serversStateFor(state, from, to), { mode: 0o600 });
  } catch (error) {
    log('the state of members is not handed over', { reason: textOf(error) });
  }
}

async function remember({ haproxy }: Target, { text }: Configuration): Promise<Remembered> {
  if (!hasPeers(text)) return nothingRemembered;
  const { worker } = await haproxy.runtime.showProcesses().catch(() => ({ worker: null }));
  return worker === null ? nothingRemembered : rememberSessions(haproxy.runtime, worker);
}

function refusal(error: unknown): ConfigurationRefused {
  const output = error instanceof HaproxyFailed ? error.output : '';
  const rejection = toRejection(readComplaint(output || textOf(error)));
  return new ConfigurationRefused(rejection, { cause: error });
}
