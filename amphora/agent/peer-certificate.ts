// The certificate by which HAProxy's peers know this amphora, and the authorities by which it knows them: the agent's own. A renewed
// certificate reaches the running HAProxy by the Runtime API, other authorities by a reload.
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import type { HaproxyProcess } from './haproxy-process.ts';
import type { Identity } from './identity.ts';
import { log, textOf } from './log.ts';
import { type Command, tell } from './runtime-commands.ts';

/** Where a configuration's `{{DIRECTORY}}/peer.pem` and `peer-ca.pem` are read. */
export function writePeerCertificate({ pem }: Identity, directory: string): void {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  replaceFile(`${directory}/peer.pem`, pem.own);
  replaceFile(`${directory}/peer-ca.pem`, pem.authorities);
}

/** A worker that starts meanwhile reads the old one or the new one. */
function replaceFile(file: string, text: string): void {
  writeFileSync(`${file}.new`, text, { mode: 0o600 });
  renameSync(`${file}.new`, file);
}

/**
 * Hands the agent's certificate to the running HAProxy, if that has another. The files come last, so that what a kill cut short is
 * done at the next start.
 */
export async function renewPeerCertificate({ pem }: Identity, directory: string, haproxy: HaproxyProcess | null) {
  const isSame = (name: string, text: string) => read(`${directory}/${name}`) === text;
  const hasAuthorities = isSame('peer-ca.pem', pem.authorities);
  if (hasAuthorities && isSame('peer.pem', pem.own)) return;
  const isRunning = haproxy !== null && (await haproxy.isRunning());
  // Told of other authorities for peers by the Runtime API, HAProxy 2.6 crashes.
  const isTold = isRunning && hasAuthorities && (await tellRunning(haproxy, pem.own));
  replaceFile(`${directory}/peer.pem`, pem.own);
  if (isRunning && !isTold) await reloadWith(haproxy, directory, pem.authorities);
  replaceFile(`${directory}/peer-ca.pem`, pem.authorities);
}

const read = (file: string): string | undefined => (existsSync(file) ? readFileSync(file, 'utf8') : undefined);

/** @returns false when a reload has to do it */
async function tellRunning({ runtime }: HaproxyProcess, own: string): Promise<boolean> {
  try {
    const { worker } = await runtime.showProcesses();
    if (worker !== null) await tell(runtime, worker, commandsFor('/proc/self/cwd/peer.pem', own));
    return true;
  } catch (error) {
    log('HAProxy gets the certificate of its peers by a reload', { reason: textOf(error) });
    return false;
  }
}

/** A reload that was cut short is done again: until it is over, what is on the disk differs by a line that says nothing. */
async function reloadWith(haproxy: HaproxyProcess, directory: string, authorities: string): Promise<void> {
  replaceFile(`${directory}/peer-ca.pem`, `${authorities}\n`);
  await haproxy.reload();
}

const commandsFor = (path: string, contents: string): Command[] => [
  {
    text: `set ssl cert ${path} <<\n${contents.trimEnd().replaceAll('\n\n', '\n')}\n`,
    isDone: (answer) => /transaction created for /i.test(answer) && answer.includes(`${path}!`),
  },
  { text: `commit ssl cert ${path}`, isDone: (answer) => answer.includes('Success!') },
];
