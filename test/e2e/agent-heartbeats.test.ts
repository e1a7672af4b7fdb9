// Heartbeats of the real agent over a network that is cut: where they come from, and that they come again.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { makeAddress, TestAmphora, TestQueue, until } from '../support/agent-process.ts';

const slowlyMs = 60_000;
const source_address = makeAddress();
let queue: TestQueue;
let amphora: TestAmphora;
beforeAll(async () => {
  queue = await TestQueue.open();
  amphora = await TestAmphora.boot(queue, { source_address });
}, slowlyMs);
afterAll(async () => {
  await amphora.remove();
  queue.close();
});

test('come from the address of the amphora where it shares a host', async () => {
  await until('a heartbeat', () => queue.last, slowlyMs);
  expect(queue.lastSender).toBe(source_address);
});

test(
  'come again after a queue that took one and never answered',
  async () => {
    queue.isMute = true;
    await until('one is not answered', () => queue.muted > 0, slowlyMs);
    queue.isMute = false;
    const before = queue.heartbeats.length;
    await until('another is sent', () => queue.heartbeats.length > before, 20_000);
  },
  slowlyMs,
);
