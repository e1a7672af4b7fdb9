// The certificate by which HAProxy's peers know this amphora, and the authorities by which it knows them: the agent's own. When those
// are renewed the running HAProxy is told by the Runtime API: its connections go on.
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
export async function renewPeerCertificate(identity: Identity, directory: string, haproxy: HaproxyProcess | null) {
  const files = { 'peer.pem': identity.pem.own, 'peer-ca.pem': identity.pem.authorities };
  const differs = ([name, text]: [string, string]) => read(`${directory}/${name}`) !== text;
  if (!Object.entries(files).some(differs)) return;
  try {
    if (haproxy && (await haproxy.isRunning())) await tellRunning(haproxy, identity);
    writePeerCertificate(identity, directory);
  } catch (error) {
    log('HAProxy gets the certificate of its peers by a reload', { reason: textOf(error) });
    writePeerCertificate(identity, directory);
    await haproxy?.reload();
  }
}

const read = (file: string): string | undefined => (existsSync(file) ? readFileSync(file, 'utf8') : undefined);

const placed = (name: string): string => `/proc/self/cwd/${name}`;

/** Authorities first: the other amphora may show what the new one signed as soon as this one does. */
async function tellRunning({ runtime }: HaproxyProcess, { pem }: Identity): Promise<void> {
  const { worker } = await runtime.showProcesses();
  if (worker === null) return;
  await tell(runtime, worker, [
    ...commandsFor('ca-file', placed('peer-ca.pem'), pem.authorities),
    ...commandsFor('cert', placed('peer.pem'), pem.own),
  ]);
}

const commandsFor = (kind: 'ca-file' | 'cert', path: string, contents: string): Command[] => [
  {
    text: `set ssl ${kind} ${path} <<\n${contents.trimEnd().replaceAll('\n\n', '\n')}\n`,
    isDone: (answer) => /transaction created for /i.test(answer) && answer.includes(`${path}!`),
  },
  { text: `commit ssl ${kind} ${path}`, isDone: (answer) => answer.includes('Success!') },
];
