// Files that are whole or not there, whenever the machine ends.
import { closeSync, fsyncSync, openSync, renameSync, writeFileSync } from 'node:fs';

/** The rename is only as durable as what it points to: contents first. */
export function writeDurably(file: string, text: string): void {
  const descriptor = openSync(`${file}.new`, 'w', 0o600);
  try {
    writeFileSync(descriptor, text);
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
  renameSync(`${file}.new`, file);
}
