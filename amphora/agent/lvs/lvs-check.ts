// What can be known of virtual servers before they are there: whether this amphora can have any, and what `keepalived -t` says.
import { execFile } from 'node:child_process';
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import type { ConfigurationRejected } from '../../agent-api.ts';
import { ConfigurationRefused } from '../validation.ts';
import { documentsIn, lvsListeners } from './documents.ts';
import type { LvsSettings } from './lvs-settings.ts';

/** What this amphora lacks; null when it lacks nothing. */
export function missingFor({ keepalivedPath, ipvsadmPath, procDirectory }: LvsSettings): string | null {
  if (!existsSync(`${procDirectory}/net/ip_vs`)) {
    return "this amphora's kernel has no ip_vs: UDP and SCTP listeners need its module, which is not loaded";
  }
  const missing = [keepalivedPath, ipvsadmPath].find((path) => !existsSync(path));
  return missing === undefined ? null : `this amphora has no ${missing}: UDP and SCTP listeners need it`;
}

/** Put down to each UDP and SCTP listener of the text: none of them can be served. */
export function refusalOfAll(text: string, message: string, options?: ErrorOptions): ConfigurationRefused {
  const { keepalived, linesBefore } = documentsIn(text);
  const lines = lvsListeners(keepalived).map(({ line }) => ({ line: line + linesBefore, message }));
  return new ConfigurationRefused({ error: 'invalid', http_code: 400, message, lines }, options);
}

/** @throws ConfigurationRefused */
export async function checkVirtualServers(settings: LvsSettings, directory: string, text: string): Promise<void> {
  const { keepalived, linesBefore } = documentsIn(text);
  if (keepalived === '') return;
  const missing = missingFor(settings);
  if (missing !== null) throw refusalOfAll(text, missing);
  const file = `${directory}/keepalived.conf.new`;
  writeFileSync(file, keepalived, { mode: 0o600 });
  const complaint = await test(settings.keepalivedPath, file).finally(() => rmSync(file, { force: true }));
  const lines = readComplaints(complaint, keepalived).map(({ line, message }) => ({
    line: line + linesBefore,
    message,
  }));
  if (lines.length > 0) throw new ConfigurationRefused(rejectionOf(lines));
}

function rejectionOf(lines: ConfigurationRejected['lines']): ConfigurationRejected {
  const named = lines.filter(({ line }) => line > 0);
  return { error: 'invalid', http_code: 400, message: lines[0]!.message, lines: named.slice(0, 50) };
}

/** Exit codes do not tell: some complaints end with 0, and warnings with the same code as mistakes. @throws Error when it cannot be run */
function test(path: string, file: string): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(path, ['-t', '-f', file], (error, stdout, stderr) => {
      if (error && typeof error.code !== 'number') reject(error);
      else resolve(stdout + stderr);
    });
  });
}

/** Said of members that all have weight 0, which is to be: they are being drained. */
const harmless = /^Warning - quorum \d+ for |hysteresis \d+ >= quorum 0;/;

/** Lines of the document, from 1; negative for what no line can be named of. */
export function readComplaints(output: string, keepalived: string): { line: number; message: string }[] {
  const said = output.split('\n').filter((line) => line.trim() !== '' && !harmless.test(line));
  return said.map((text) => {
    const [, line, message] = /^\((?:.*: )?Line (\d+)\) (.*)$/.exec(text) ?? [];
    if (message !== undefined) return { line: Number(line), message };
    // Of a virtual server as a whole: `Virtual server [<group>]:0 has no real servers`.
    const [, group] = /\[([\w-]+)\]:/.exec(text) ?? [];
    const at = keepalived.split('\n').indexOf(`virtual_server group ${group} {`);
    return { line: at === -1 ? Number.NEGATIVE_INFINITY : at + 1, message: text };
  });
}
