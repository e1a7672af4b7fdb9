// What a configuration says of its files: which contents lie in which slot. Pure.
import { manifestLine } from '../agent-api.ts';
import { ConfigurationRefused } from './validation.ts';

/** Digests of contents by slot. */
export type Manifest = ReadonlyMap<string, string>;

/** @throws ConfigurationRefused for a line that looks like the manifest's and is not */
export function readManifest(text: string): Manifest {
  const manifest = new Map<string, string>();
  text.split('\n').forEach((line, index) => {
    if (!/^\s*# file\b/.test(line)) return;
    const [, slot, digest] = manifestLine.exec(line) ?? [];
    if (slot === undefined || manifest.has(slot)) throw unreadable(index + 1);
    manifest.set(slot, digest!);
  });
  return manifest;
}

function unreadable(line: number): ConfigurationRefused {
  const message = 'no slot with a digest, or one that was named before';
  return new ConfigurationRefused({ error: 'invalid', http_code: 400, message, lines: [{ line, message }] });
}

export const isSameManifest = (a: Manifest, b: Manifest): boolean =>
  a.size === b.size && [...a].every(([slot, digest]) => b.get(slot) === digest);
