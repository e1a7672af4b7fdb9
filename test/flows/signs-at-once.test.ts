// Heartbeats of one amphora that are taken in at the same moment, by two functions, or while it is given up.
import type { SQSEvent } from 'aws-lambda';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { SignedHeartbeat } from '../../amphora/agent-api.ts';
import { heartbeatsHandler } from '../../lambdas/health-manager/heartbeats.ts';
import { eraseAmphora, readAmphora } from '../../lambdas/repositories/amphorae.ts';
import { expectSigns, readAllHealth, readHealth } from '../../lambdas/repositories/health.ts';
import { readMemberStatistics } from '../../lambdas/repositories/member-statistics.ts';
import { readStatistics } from '../../lambdas/repositories/statistics.ts';
import { FlowWorld } from '../support/flow-world.ts';
import { BeatingAmphora } from '../support/heartbeats.ts';

let world: FlowWorld;
beforeEach(() => {
  world = new FlowWorld();
});
afterEach(() => world.close());

async function site() {
  const id = await world.createActive();
  const { amphora_ids, listener_ids } = await world.loadBalancer(id);
  const row = (await readAmphora(world.outside.table, amphora_ids[0]!))!;
  const amphora = new BeatingAmphora({ services: world.services } as never, row);
  const counted = (totconns: number) => ({ [listener_ids[0]!]: { status: 'OPEN' as const, stats: stats(totconns) } });
  return { id, amphora, listener: listener_ids[0]!, counted };
}
const stats = (totconns: number) => ({ tx: 0, rx: 0, totconns, ereq: 0, conns: 0 });

async function takeIn(...beats: SignedHeartbeat[]): Promise<void> {
  const Records = beats.map((one, index) => ({ messageId: String(index), body: JSON.stringify(one) }));
  const answer = await heartbeatsHandler(world.services)({ Records } as unknown as SQSEvent);
  expect(answer.batchItemFailures).toEqual([]);
}

/** The other one is taken in whole right before one is about to write for that time, counted from one. */
async function meeting(one: SignedHeartbeat, other: SignedHeartbeat, write: number): Promise<void> {
  let writes = 0;
  const meet = async () => {
    if (++writes === write) await takeIn(other);
  };
  world.on('table.transact', 'before', meet, write);
  await takeIn(one);
  world.faults.length = 0;
  if (writes < write) await takeIn(other);
}

describe.each([1, 2, 3])('the first two signs of an amphora, one taken in before the other’s write %i', (write) => {
  it.each(['older', 'newer'])('leave the newer, when the %s one comes in between', async (between) => {
    const { id, amphora, listener, counted } = await site();
    const older = amphora.beat({ sent_at: 1, listeners: counted(3), member_pages: { 0: { a: [0, 0, 5, 0, 0] } } });
    const newer = amphora.beat({ sent_at: 2, listeners: counted(7), member_pages: { 1: { b: [0, 0, 9, 0, 0] } } });
    const [one, other] = between === 'older' ? [newer, older] : [older, newer];
    await meeting(amphora.signed(one), amphora.signed(other), write);
    const { table } = world.outside;
    expect((await readHealth(table, [amphora.id])).get(amphora.id)?.sequence).toMatch(/^0+2#/);
    expect((await readStatistics(table, id, [amphora.id])).get(listener)?.total_connections).toBe(7);
    const ofMember = async (member: string) => (await readMemberStatistics(table, id, member, [])).total_connections;
    expect([await ofMember('a'), await ofMember('b')]).toEqual([5, 9]);
  });
});

describe('an amphora that is given up', () => {
  it('while its first sign is awaited leaves no health of nobody', async () => {
    const { id, amphora } = await site();
    const { table } = world.outside;
    const health = (await readAllHealth(table)).find((one) => one.amphora_id === amphora.id)!;
    await table.transact([{ kind: 'delete', key: { pk: `HEALTH#${amphora.id[0]}`, sk: amphora.id } }]);
    expect(health).toBeDefined();
    world.on('table.get', 'after', () => expectSigns(world.services, amphora.id, id));
    await eraseAmphora(world.services, amphora.id, id);
    expect(await readAllHealth(table)).toEqual([]);
  });

  it('while it counts leaves all that it has counted', async () => {
    const { id, amphora, listener, counted } = await site();
    await takeIn(amphora.signed(amphora.beat({ sent_at: 1, listeners: counted(3) })));
    const late = amphora.signed(amphora.beat({ sent_at: 2, listeners: counted(8) }));
    world.on('table.get', 'after', () => takeIn(late));
    await eraseAmphora(world.services, amphora.id, id);
    const { total_connections } = (await readStatistics(world.outside.table, id, [])).get(listener)!;
    expect(total_connections).toBe(8);
  });
});
