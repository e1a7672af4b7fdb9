// What is said of tens of thousands of members does not fit into one message: SQS takes 1 MiB. Such a heartbeat is cut into one that says
// everything but the statuses of most pools, and parts that say those. Pure.
import { createHash } from 'node:crypto';
import type { Heartbeat, HeartbeatPart } from '../agent-api.ts';

type Pools = Heartbeat['pools'];

/** Of pools in one message. The control plane puts parts aside as items, of 400 KB at most. */
export const partBytes = 200 * 1024;

/** Quotes, colon and comma. */
const bytesOf = (key: string, value: string): number => Buffer.byteLength(key) + Buffer.byteLength(value) + 6;

/** In chunks of at most so many bytes; of a large pool several have some members each. */
function chunksOf(pools: Pools, most: number): Pools[] {
  const chunks: Pools[] = [{}];
  let bytes = 0;
  const grow = (by: number): void => {
    if (bytes > 0 && bytes + by > most) {
      chunks.push({});
      bytes = 0;
    }
    bytes += by;
  };
  for (const [name, { status, members }] of Object.entries(pools)) {
    const ownBytes = bytesOf(name, status) + 30;
    grow(ownBytes);
    chunks.at(-1)![name] = { status, members: {} };
    for (const [id, word] of Object.entries(members)) {
      grow(bytesOf(id, word));
      const chunk = chunks.at(-1)!;
      if (chunk[name] === undefined) bytes += ownBytes;
      chunk[name] ??= { status, members: {} };
      chunk[name].members[id] = word;
    }
  }
  return chunks;
}

const digestOf = ({ generation, listeners, pools }: Heartbeat): string => {
  const statuses = Object.entries(listeners).map(([id, { status }]) => [id, status]);
  return createHash('sha256')
    .update(JSON.stringify([generation, statuses, pools]))
    .digest('base64')
    .slice(0, 22);
};

/** The heartbeat as it is when it fits, or cut into what is sent one after the other. */
export function messagesOf(heartbeat: Heartbeat, most = partBytes): [Heartbeat, ...HeartbeatPart[]] {
  const [first, ...others] = chunksOf(heartbeat.pools, most);
  if (others.length === 0) return [heartbeat];
  const { id, seq, sent_at } = heartbeat;
  const [parts, digest] = [others.length, digestOf(heartbeat)];
  const rest = others.map((pools, index) => ({ id, seq, sent_at, part: index + 1, parts, digest, pools }));
  return [{ ...heartbeat, pools: first!, more: { parts, digest } }, ...rest];
}
