// Cuts of the network one by one, each with what has to come of it: who is replaced, who is not, and that a VIP never has two owners.
import { setTimeout as sleep } from 'node:timers/promises';
import { eventually } from '../support/eventually.ts';
import { LocalService } from '../support/local-service.ts';
import { processesOf } from '../support/processes.ts';
import { amphoraeOf, type ChaosAmphora } from './amphorae.ts';
import { Owners } from './owners.ts';
import { partitionFaults } from './partition-faults.ts';
import { Partitions } from './partitions.ts';
import { Probe } from './probe.ts';
import { type Subject, Subjects } from './subjects.ts';

const settledWithinMs = 120_000;
/** A pair that is cut suspects each other all along: on a busy machine a heartbeat half a second late would be enough. */
const patience = ['--heartbeat-interval-ms', '2000', '--heartbeat-timeout-ms', '4000'];

interface Stage {
  service: LocalService;
  subjects: Subjects;
  partitions: Partitions;
}

interface Case {
  /** Of which load balancer. */
  kind: string;
  fault: keyof typeof partitionFaults & string;
  cutMs: number;
  /** Whether the amphora that is cut off has to be replaced. */
  isReplaced: boolean;
  /** Whether nobody may notice. */
  isSeamless: boolean;
}

/** Those of one load balancer come one after the other, the others beside each other. */
const cases: Case[] = [
  { kind: 'tls', fault: 'cut the amphora from the control plane', cutMs: 6_000, isReplaced: true, isSeamless: false },
  {
    ...{ kind: 'sessions', fault: 'cut the amphora from the control plane, heal amid its failover' },
    ...{ cutMs: 0, isReplaced: true, isSeamless: false },
  },
  {
    kind: 'single',
    fault: 'cut the load balancer from its members',
    cutMs: 6_000,
    isReplaced: false,
    isSeamless: false,
  },
  { kind: 'single', fault: 'cut the VIP from its clients', cutMs: 2_500, isReplaced: false, isSeamless: false },
  {
    ...{ kind: 'pair', fault: 'cut the amphorae of the pair from each other' },
    ...{ cutMs: 4_000, isReplaced: false, isSeamless: true },
  },
  {
    ...{ kind: 'pair', fault: 'cut the amphora from everybody but clients and members' },
    ...{ cutMs: 6_000, isReplaced: true, isSeamless: false },
  },
];

/** Of a pair the one with the VIP. */
async function serving({ service }: Stage, { id }: Subject): Promise<ChaosAmphora> {
  const { amphorae } = await service.api.call('GET', `/v2.0/octavia/amphorae?loadbalancer_id=${id}`);
  const { id: wanted } = amphorae.find(({ role }: { role: string }) => role !== 'BACKUP');
  return amphoraeOf(service, id).find((one) => one.id === wanted)!;
}

async function meet(stage: Stage, { kind, fault, cutMs, isReplaced, isSeamless }: Case): Promise<string[]> {
  const { service, subjects, partitions } = stage;
  const subject = subjects.all.find(({ name }) => name === kind)!;
  const amphora = await serving(stage, subject);
  const probe = new Probe(subject);
  const healed: Promise<unknown>[] = [];
  const later = (work: Promise<unknown>) => void healed.push(work);
  await partitionFaults[fault]!({ service, subject, amphora, pauseMs: cutMs, later, partitions });
  await Promise.all(healed);
  if (isReplaced) await eventually('it is replaced', () => !service.amphoraIds().includes(amphora.id), settledWithinMs);
  // Who is wrongly held for lost would be replaced by then.
  else await sleep(3_500);
  await service.api.active(subject.id, settledWithinMs);
  await eventually('it answers', () => subject.ask().then(() => true));
  await probe.stop();
  const isGone = processesOf(amphora.directory).length === 0;
  return [
    ...(isGone === isReplaced ? [] : [`the amphora that was cut off ${isGone ? 'is gone' : 'runs on'}`]),
    ...(isSeamless && probe.answered < probe.asked ? [`${probe.asked - probe.answered} requests failed`] : []),
  ];
}

async function meetAll(stage: Stage, own: Case[], say: (line: string) => void): Promise<string[]> {
  const broken: string[] = [];
  for (const one of own) {
    const complaints = await meet(stage, one).catch((error: Error) => [error.message]);
    say(
      `${one.fault} (${one.kind}): ${complaints.join(', ') || (one.isReplaced ? 'replaced, once' : 'nobody replaced')}`,
    );
    broken.push(...complaints.map((complaint) => `${one.fault}: ${complaint}`));
  }
  return broken;
}

/** In a network of its own. @returns what did not come of it as it has to */
export async function runCases(say: (line: string) => void): Promise<string[]> {
  await using service = await LocalService.start({ args: ['--spare-amphorae', '2', ...patience] });
  await using subjects = await Subjects.make(service);
  const stage = { service, subjects, partitions: new Partitions() };
  const owners = new Owners(service);
  const places = subjects.all.map(({ place }) => place);
  const looking = setInterval(() => owners.look(places), 25);
  const byKind = Object.values(Object.groupBy(cases, ({ kind }) => kind));
  const broken = await Promise.all(byKind.map((own) => meetAll(stage, own!, say)));
  clearInterval(looking);
  say(`${owners.looks} looks at who owns the VIPs, ${owners.doubled.length} saw two owners`);
  return [...broken.flat(), ...owners.doubled.map((one) => `two owners at once: ${one}`)];
}
