// Whole amphorae killed one after the other, and how long until somebody else answers: of a pair, and single with a spare.
import { setTimeout as sleep } from 'node:timers/promises';
import { eventually } from '../support/eventually.ts';
import { LocalService } from '../support/local-service.ts';
import { processesOf, sendSignal } from '../support/processes.ts';
import { type Subject, Subjects } from './subjects.ts';

const askEachMs = 5;
const answersWithinMs = 60_000;

/** The amphora that has the VIP is the one whose HAProxy says so: of a pair it is the one that counts connections. */
async function killServing(service: LocalService, { id }: Subject): Promise<void> {
  const shown = await service.api.call('GET', `/v2.0/octavia/amphorae?loadbalancer_id=${id}`);
  const all = shown.amphorae as { id: string; role: string }[];
  const serving = all.find(({ role }) => role !== 'BACKUP')!;
  for (const { pid } of processesOf(`${service.state}/amphorae/${serving.id}`)) sendSignal(pid, 'SIGKILL');
}

/** From kill -9 to the next good answer, in milliseconds. */
async function outage(service: LocalService, subject: Subject): Promise<number> {
  await killServing(service, subject);
  const since = performance.now();
  await eventually('somebody answers', () => subject.ask().then(() => true), answersWithinMs);
  return performance.now() - since;
}

async function isWhole(service: LocalService, { id, name }: Subject, spares: number): Promise<void> {
  await eventually('it is whole again', async () => {
    const shown = await service.api.call('GET', `/v2.0/octavia/amphorae?loadbalancer_id=${id}`);
    const count = shown.amphorae.filter((one: { status: string }) => one.status === 'ALLOCATED').length;
    return count === (name === 'pair' ? 2 : 1) && (await service.spares()).length >= spares;
  });
  await service.api.active(id);
  // Both heard from, as long as it takes in operation.
  await sleep(askEachMs);
}

export async function measureKills(count: number): Promise<Record<string, number[]>> {
  const spares = 1;
  await using service = await LocalService.start({ args: ['--spare-amphorae', String(spares)] });
  await using subjects = await Subjects.make(service);
  const measured: Record<string, number[]> = {};
  for (const subject of subjects.all.filter(({ name }) => name === 'pair' || name === 'single')) {
    const all: number[] = [];
    for (let killed = 0; killed < count; killed++) {
      await isWhole(service, subject, spares);
      all.push(await outage(service, subject));
    }
    measured[subject.name] = all;
  }
  return measured;
}
