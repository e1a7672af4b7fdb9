// Heartbeats of amphorae with more members than a message holds.
import { createHash, randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, it } from 'vitest';
import { messagesOf, partBytes } from '../../amphora/agent/heartbeat-parts.ts';
import { HeartbeatQueue } from '../../amphora/agent/heartbeat-queue.ts';
import type {
  AgentSettings,
  Heartbeat,
  HeartbeatPart,
  MemberCounts,
  MemberPage,
  SignedHeartbeat,
} from '../../amphora/agent-api.ts';

/** What SQS takes. */
const messageBytes = 1024 * 1024;

const members = (count: number) =>
  Object.fromEntries(Array.from({ length: count }, (_, index) => [randomUUID(), index % 3 === 0 ? 'DOWN' : 'UP']));

/** Of as many members as it is told, in pools of very different size, with statistics and logs beside them. */
function giant(count: number): Heartbeat {
  const pools: Heartbeat['pools'] = {
    [`${randomUUID()}:${randomUUID()}`]: { status: 'UP', members: members(count - 500) },
  };
  for (let pool = 0; pool < 500; pool++)
    pools[`${randomUUID()}:${randomUUID()}`] = { status: 'DOWN', members: members(1) };
  const stats = { tx: 123_456_789, rx: 123_456_789, totconns: 123_456, ereq: 12, conns: 34 };
  const listeners = Array.from({ length: 500 }, () => [randomUUID(), { status: 'OPEN', stats }]);
  const counts: MemberCounts = [1, 2, 3, 4, 5];
  const page: MemberPage = Object.fromEntries(Array.from({ length: 1_000 }, () => [randomUUID(), counts]));
  const of = {
    id: 'amphora',
    seq: 7,
    ver: 3,
    sent_at: 1,
    boot: 'boot',
    load_balancer_id: 'lb',
    generation: 3,
    digest: 'd',
  };
  return { ...of, listeners: Object.fromEntries(listeners), pools, member_pages: { 0: page } } as Heartbeat;
}

function joined(messages: (Heartbeat | HeartbeatPart)[]): Heartbeat['pools'] {
  const pools: Heartbeat['pools'] = {};
  for (const message of messages)
    for (const [name, pool] of Object.entries(message.pools))
      pools[name] = { status: pool.status, members: { ...pools[name]?.members, ...pool.members } };
  return pools;
}

it('a heartbeat that fits is sent as it is', () => {
  const heartbeat = giant(1_000);
  expect(messagesOf(heartbeat)).toEqual([heartbeat]);
});

it.each([10_000, 100_000])('a heartbeat of %i members is cut into messages that together say the same', (count) => {
  const heartbeat = giant(count);
  const messages = messagesOf(heartbeat);
  const [first, ...parts] = messages;
  expect(joined(messages)).toEqual(heartbeat.pools);
  expect(first).toEqual({
    ...heartbeat,
    pools: first.pools,
    more: { parts: parts.length, digest: first.more!.digest },
  });
  expect(parts.map(({ part, parts: all, seq, digest }) => [part, all, seq, digest])).toEqual(
    parts.map((_, index) => [index + 1, parts.length, 7, first.more!.digest]),
  );
  for (const { pools } of messages) expect(Buffer.byteLength(JSON.stringify(pools))).toBeLessThanOrEqual(partBytes);
  const changed = structuredClone(heartbeat);
  Object.values(changed.pools).at(-1)!.status = 'UP';
  expect(messagesOf(changed)[0].more!.digest).not.toBe(first.more!.digest);
});

it('of an amphora with 60,000 members arrives in messages that the queue takes', { timeout: 60_000 }, async () => {
  const bodies: string[] = [];
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const { MessageBody } = JSON.parse(Buffer.concat(chunks).toString()) as { MessageBody: string };
    bodies.push(MessageBody);
    const MD5OfMessageBody = createHash('md5').update(MessageBody).digest('hex');
    response.setHeader('content-type', 'application/x-amz-json-1.0');
    response.end(JSON.stringify({ MessageId: String(bodies.length), MD5OfMessageBody }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const sqs_endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const settings = {
    amphora_id: 'amphora',
    region: 'us-east-1',
    sqs_endpoint,
    heartbeat_queue_url: `${sqs_endpoint}/1/q`,
  };
  const queue = new HeartbeatQueue(settings as AgentSettings, { heartbeatKey: 'key' } as never);
  const heartbeat = giant(60_000);
  expect(Buffer.byteLength(JSON.stringify(heartbeat))).toBeGreaterThan(2 * messageBytes);
  await queue.send(heartbeat);
  server.close();
  expect(Math.max(...bodies.map((body) => Buffer.byteLength(body)))).toBeLessThan(messageBytes);
  const said = bodies.map((body) => JSON.parse((JSON.parse(body) as SignedHeartbeat).payload));
  expect(joined(said)).toEqual(heartbeat.pools);
});
