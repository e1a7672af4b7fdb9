// The agent's side of HAProxy's master socket.
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { RuntimeApi } from '../../amphora/agent/runtime-api.ts';

test('does not wait for a master that knows no such worker and leaves the connection open', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'runtime-api-'));
  const connections: Socket[] = [];
  const master = createServer({ allowHalfOpen: true }, (socket) => {
    connections.push(socket);
    socket.on('data', () => socket.write("Can't find the target PID matching the prefix '@!7'\n"));
  });
  await new Promise<void>((resolve) => master.listen(join(directory, 'master.sock'), resolve));
  try {
    const runtime = new RuntimeApi(join(directory, 'master.sock'));
    const asked = performance.now();
    expect(await runtime.ask(7, 'show version')).toContain("Can't find the target PID");
    await expect(runtime.askAll(7, ['show version'])).rejects.toThrow('HAProxy ended the conversation');
    expect(performance.now() - asked).toBeLessThan(5_000);
  } finally {
    for (const socket of connections) socket.destroy();
    master.close();
    rmSync(directory, { recursive: true });
  }
});

test('sends no more commands at once than HAProxy has a buffer for, and takes each for its own answer', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'runtime-api-'));
  let longest = 0;
  const master = createServer({ allowHalfOpen: true }, (socket) => {
    socket.setEncoding('utf8').on('data', (chunk) => {
      const text = String(chunk);
      longest = Math.max(longest, text.length);
      if (text.startsWith('prompt')) socket.write('\nmaster> 7> ');
      else if (text === 'quit\n') socket.end();
      else for (const line of text.trim().split('\n')) socket.write(`${line}!\n\n7> `);
    });
  });
  await new Promise<void>((resolve) => master.listen(join(directory, 'master.sock'), resolve));
  try {
    const commands = Array.from({ length: 3_000 }, (_, index) => `enable server a-pool/member-${index}`);
    const answers = await new RuntimeApi(join(directory, 'master.sock')).askAll(7, commands);
    expect(answers).toEqual(commands.map((command) => `${command}!`));
    expect(longest).toBeLessThanOrEqual(8_192);
  } finally {
    master.close();
    rmSync(directory, { recursive: true });
  }
});
