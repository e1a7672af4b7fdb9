// What a heartbeat says, in the forms it is kept in.
import { createHash } from 'node:crypto';
import type { Heartbeat } from '../../amphora/agent-api.ts';

/** Orders the heartbeats of one amphora, across restarts of its agent, as text. */
export const sequenceOf = ({ sent_at, seq }: Heartbeat): string =>
  `${String(sent_at).padStart(15, '0')}#${String(seq).padStart(10, '0')}`;

export const newestOf = (heartbeats: Heartbeat[]): Heartbeat | undefined => heartbeats.at(-1);

/** Of all that bears on an operating status, and nothing that counts up. */
export function statusDigest({ generation, listeners, pools }: Heartbeat): string {
  const statuses = Object.entries(listeners).map(([id, { status }]) => [id, status]);
  return createHash('sha256')
    .update(JSON.stringify([generation, statuses, pools]))
    .digest('base64')
    .slice(0, 22);
}

/** Counters of several heartbeats added up: `<name>#<listener id>`, zeros left out. */
export function countedBy(heartbeats: Heartbeat[]): Record<string, number> {
  const counted: Record<string, number> = {};
  const add = (name: string, listenerId: string, value: number) => {
    if (value > 0) counted[`${name}#${listenerId}`] = (counted[`${name}#${listenerId}`] ?? 0) + value;
  };
  for (const { listeners } of heartbeats) {
    for (const [id, { stats }] of Object.entries(listeners)) {
      add('bytes_in', id, stats.rx);
      add('bytes_out', id, stats.tx);
      add('total_connections', id, stats.totconns);
      add('request_errors', id, stats.ereq);
    }
  }
  return counted;
}
