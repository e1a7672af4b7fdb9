// The real keepalived, for tests of what is rendered for it.
import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Why nothing can be sent through a virtual server here; null where it can. */
export const reasonWithoutIpVs = existsSync('/proc/net/ip_vs')
  ? null
  : 'this kernel has no ip_vs: no datagram is sent through a virtual server';

export class KeepalivedDirectory implements Disposable {
  readonly path = mkdtempSync(join(tmpdir(), 'keepalived-test-'));
  #count = 0;

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true });
  }

  /** What `keepalived -t` says, which is nothing when all is well: its exit code is 0 for some mistakes. */
  check(text: string): Promise<{ code: number; output: string }> {
    const file = join(this.path, `${++this.#count}.conf`);
    writeFileSync(file, text);
    return new Promise((resolve, reject) => {
      execFile('keepalived', ['-t', '-f', file], (error, stdout, stderr) => {
        if (error && typeof error.code !== 'number') {
          reject(new Error('these tests need keepalived, which is not installed', { cause: error }));
        } else resolve({ code: Number(error?.code ?? 0), output: stdout + stderr });
      });
    });
  }
}
