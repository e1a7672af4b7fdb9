// What can be known of a configuration before HAProxy has it: `haproxy -c`, and whether its new addresses can be had.
import { execFile } from 'node:child_process';
import { createServer } from 'node:net';
import type { ConfigurationRejected } from '../agent-api.ts';
import { readComplaint, toRejection } from './haproxy-log.ts';

const outputLimitBytes = 4 * 1024 * 1024;
/** `haproxy -c` of a text that cannot start: it has no listener, not even a stats socket. Nothing is wrong with it. */
const exitCodeWithoutListener = 2;

/** A configuration that is not in force and will not be; the text that is, stays. */
export class ConfigurationRefused extends Error {
  override readonly name = 'ConfigurationRefused';
  readonly rejection: ConfigurationRejected;
  constructor(rejection: ConfigurationRejected, options?: ErrorOptions) {
    super(rejection.message, options);
    this.rejection = rejection;
  }
}

/** @throws ConfigurationRefused */
export async function checkConfiguration(haproxyPath: string, directory: string, file: string): Promise<void> {
  const { code, output } = await run(haproxyPath, ['-c', '-f', file], directory);
  if (code === 0 || code === exitCodeWithoutListener) return;
  const rejection = toRejection(readComplaint(output));
  throw new ConfigurationRefused({ ...rejection, error: 'invalid' });
}

function run(path: string, options: string[], cwd: string): Promise<{ code: number; output: string }> {
  return new Promise((resolve, reject) => {
    execFile(path, options, { cwd, maxBuffer: outputLimitBytes }, (error, stdout, stderr) => {
      if (error && typeof error.code !== 'number') reject(error);
      else resolve({ code: Number(error?.code ?? 0), output: stdout + stderr });
    });
  });
}

export interface Bind {
  line: number;
  address: string;
  port: number;
}

/** TCP addresses of frontends with their line, from 1. Sockets by path and port ranges are left to HAProxy. */
export function readBinds(text: string): Bind[] {
  return text.split('\n').flatMap((raw, index) => {
    const words = raw.trim().split(/\s+/);
    if (words[0] !== 'bind' || words[1] === undefined) return [];
    return words[1].split(',').flatMap((place) => {
      const [, host, port] = /^(?:ipv[46]@)?\[?([^\]/@]*?)\]?:(\d+)$/.exec(place) ?? [];
      const address = !host || host === '*' ? '0.0.0.0' : host;
      return port === undefined ? [] : [{ line: index + 1, address, port: Number(port) }];
    });
  });
}

/**
 * A reload that cannot bind pauses the listeners in force for seconds while HAProxy tries again: so the agent tries first.
 * It also sees what HAProxy does not: another process that shares its port.
 * @throws ConfigurationRefused
 */
export async function checkNewBinds(text: string, textInForce: string | null): Promise<void> {
  const place = (bind: Bind) => `${bind.address} ${bind.port}`;
  const held = new Set(textInForce === null ? [] : readBinds(textInForce).map(place));
  const lines: { line: number; message: string }[] = [];
  let error: ConfigurationRejected['error'] | null = null;
  for (const bind of readBinds(text).filter((bind) => !held.has(place(bind)))) {
    const code = await tryToListen(bind);
    const complaint = code === null ? null : explain(code, bind);
    if (complaint === null) continue;
    error ??= complaint.error;
    lines.push({ line: bind.line, message: complaint.message });
  }
  if (error !== null) throw new ConfigurationRefused({ error, http_code: 400, message: lines[0]!.message, lines });
}

function tryToListen(bind: Bind): Promise<string | null> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? 'UNKNOWN'));
    server.listen({ host: bind.address, port: bind.port, exclusive: true, ipv6Only: true }, () => {
      server.close(() => resolve(null));
    });
  });
}

function explain(code: string, bind: Bind): { error: ConfigurationRejected['error']; message: string } | null {
  const place = `${bind.address}:${bind.port}`;
  if (code === 'EADDRINUSE') return { error: 'address_in_use', message: `${place} is taken by another process` };
  if (code === 'EADDRNOTAVAIL')
    return { error: 'address_not_allowed', message: `${place} is not an address of this amphora` };
  if (code !== 'EACCES') return null;
  return { error: 'address_not_allowed', message: `${place} may not be bound: ports below 1024 need root` };
}
