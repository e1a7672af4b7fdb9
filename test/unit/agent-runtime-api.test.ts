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
