// An amphora of a pair says that the other one does not answer it: believed only together with heartbeats that are overdue.
import { beforeEach, describe, expect, it } from 'vitest';
import { scanHealth } from '../../lambdas/health-manager/scan.ts';
import { readAmphorae } from '../../lambdas/repositories/amphorae.ts';
import { readLoadBalancer } from '../../lambdas/repositories/trees.ts';
import { BeatingAmphora } from '../support/heartbeats.ts';
import { usePlane } from '../support/planes.ts';
import { tables } from '../support/tables.ts';

const intervalMs = 10_000;
const config = { topology: 'ACTIVE_STANDBY' as const, heartbeat_interval_ms: intervalMs, heartbeat_timeout_ms: 60_000 };
const given = usePlane(tables[0]!.make, { config });

interface Pair {
  id: string;
  suspected: BeatingAmphora;
  reporter: BeatingAmphora;
}

async function aPair(): Promise<Pair> {
  const { id } = await given.api.createLoadBalancer();
  await given.plane.settle();
  const { table } = given.plane.services;
  const [first, second] = await readAmphorae(table, (await readLoadBalancer(table, id))!.amphora_ids);
  const pair = { id, suspected: beating(first!), reporter: beating(second!) };
  await pair.suspected.send();
  await pair.reporter.send();
  return pair;
}

const beating = (row: ConstructorParameters<typeof BeatingAmphora>[1]) => new BeatingAmphora(given.plane, row);
const turn = (ms: number) => given.plane.services.clock.turn(ms);
const accuse = ({ reporter, suspected }: Pick<Pair, 'reporter' | 'suspected'>) =>
  reporter.send({ peer: { amphora_id: suspected.id, silent_since: given.plane.services.clock.now() - 900 } });
const suspicions = () => given.plane.services.events.published.filter(({ type }) => type === 'peer_suspected');
const failovers = () =>
  given.plane.services.events.published.filter(
    ({ type, detail }) => type === 'provisioning_status_changed' && detail['from'] === 'ACTIVE',
  );

describe('an amphora that its peer suspects', () => {
  let pair: Pair;
  beforeEach(async () => {
    await scanHealth(given.plane.services);
    pair = await aPair();
  });

  it('is let be while its own heartbeats come, and there is one event', async () => {
    for (let beats = 0; beats < 4; beats += 1) {
      turn(intervalMs);
      await pair.suspected.send();
      await accuse(pair);
      await scanHealth(given.plane.services);
    }
    expect(suspicions()).toMatchObject([
      { resource: 'amphora', resource_id: pair.suspected.id, detail: { reported_by: pair.reporter.id } },
    ]);
    expect(failovers()).toEqual([]);
  });

  it('is failed over at once when its heartbeats are overdue, without a scan being due', async () => {
    turn(intervalMs * 1.4);
    await accuse(pair);
    expect(failovers()).toEqual([]);
    turn(intervalMs * 0.2);
    await accuse(pair);
    expect(failovers()).toMatchObject([{ resource_id: pair.id }]);
  });

  it('is failed over by the next scan when the suspicion came before it was overdue', async () => {
    turn(intervalMs);
    await accuse(pair);
    turn(intervalMs * 0.6);
    expect(await scanHealth(given.plane.services)).toMatchObject({ silent: 1, failed_over: 1 });
  });

  it('is given its full time when the one that said so is silent itself', async () => {
    await accuse(pair);
    turn(intervalMs * 2);
    expect(await scanHealth(given.plane.services)).toMatchObject({ silent: 0, failed_over: 0 });
  });

  it('is given its full time when it answers its peer again', async () => {
    await accuse(pair);
    turn(intervalMs * 2);
    await pair.reporter.send();
    expect(await scanHealth(given.plane.services)).toMatchObject({ silent: 0, failed_over: 0 });
  });

  it('is nobody of another load balancer', async () => {
    const other = await aPair();
    turn(intervalMs * 2);
    await accuse({ reporter: other.reporter, suspected: pair.suspected });
    await other.suspected.send();
    expect(await scanHealth(given.plane.services)).toMatchObject({ silent: 0, failed_over: 0 });
    expect(suspicions()).toEqual([]);
  });

  it('is not failed over while so many are silent that the fault is elsewhere', async () => {
    const pairs = [pair, await aPair(), await aPair(), await aPair()];
    turn(intervalMs * 2);
    for (const one of pairs) await one.reporter.send();
    for (const one of pairs.slice(0, -1)) {
      const peer = { amphora_id: one.suspected.id, silent_since: 0 };
      await one.reporter.send({ peer });
    }
    const before = failovers().length;
    await accuse(pairs.at(-1)!);
    expect(await scanHealth(given.plane.services)).toMatchObject({ silent: 4, is_storm: true, failed_over: 0 });
    expect(failovers().length).toBe(before);
  });
});
