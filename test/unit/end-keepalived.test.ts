// Ending what an amphora's agent left behind, on one machine.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { endKeepalived } from '../../local/compute/keepalived.ts';

let root: string;
const children: ChildProcess[] = [];

beforeEach(() => {
  root = realpathSync(mkdtempSync(join(tmpdir(), 'end-keepalived-')));
});
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  rmSync(root, { recursive: true });
});

/** A program that goes by the name of keepalived's and works in the directory, which is all that is looked at. */
async function running(directory: string): Promise<ChildProcess> {
  const program = join(root, 'keepalived');
  copyFileSync('/bin/sleep', program);
  const child = spawn(program, ['600'], { cwd: directory, stdio: 'ignore' });
  children.push(child);
  await once(child, 'spawn');
  return child;
}

test('the keepalived of an amphora is asked to end, so that it can clear the kernel; that of another stays', async () => {
  const [own, other] = [mkdtempSync(join(root, 'own-')), mkdtempSync(join(root, 'other-'))];
  const child = await running(own);
  const ended = once(child, 'exit');
  rmSync(join(root, 'keepalived'));
  const stays = await running(other);
  await endKeepalived(own);
  expect(await ended).toEqual([null, 'SIGTERM']);
  expect(stays.exitCode ?? stays.signalCode).toBeNull();
});
