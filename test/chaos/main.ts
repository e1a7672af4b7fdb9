// `npm run chaos [-- --minutes N --seed S --no-partitions]`: real processes under traffic and writes, killed, stopped and cut from each
// other at random. Ends with 1 when a promise was broken. The seed repeats the choice of faults; what they meet is up to the moment. With
// `--cases` instead, each cut of the network comes once, with what has to come of it. With `--kills N`: so many amphorae of a pair and of a single load balancer are killed one after the other, and the time until
// somebody answers is measured.
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { reasonWithoutIpVs } from '../support/keepalived.ts';
import { runCases } from './cases.ts';
import { measureKills } from './kills.ts';
import { obstacleToPartitions, runInOwnNetwork } from './own-network.ts';
import { percentile } from './probe.ts';
import { type Account, Chaos } from './run.ts';

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '3' },
    seed: { type: 'string' },
    kills: { type: 'string' },
    cases: { type: 'boolean', default: false },
    'no-partitions': { type: 'boolean', default: false },
    // Of the run itself, when it starts itself once more.
    'in-own-network': { type: 'boolean', default: false },
  },
});
const say = (line: string): void => void process.stdout.write(`${line}\n`);

function timesLine(name: string, all: number[]): string {
  const ms = [percentile(all, 0.5), percentile(all, 0.99)].map((one) => one.toFixed(0).padStart(8));
  return `  ${name.padEnd(62)} ${String(all.length).padStart(8)} ${ms.join(' ')}`;
}

async function kill(count: number): Promise<number> {
  say('killed until somebody answers, ms                                     times      p50      p99');
  for (const [name, all] of Object.entries(await measureKills(count))) say(timesLine(name, all));
  return 0;
}

async function meetCases(): Promise<number> {
  const broken = await runCases(say);
  for (const one of broken) say(`BROKEN: ${one}`);
  return broken.length === 0 ? 0 : 1;
}

function tell({ availability, recoveries, answers, looks, dualOwners, lostWrites, orphans, broken }: Account): void {
  say('\navailability     answered      longest time without an answer, ms');
  for (const [name, { share, longestGapMs }] of Object.entries(availability))
    say(`  ${name.padEnd(12)} ${(100 * share).toFixed(3).padStart(8)} % ${longestGapMs.toFixed(0).padStart(35)}`);
  say('\nfrom the fault to the next answer, ms                                 times      p50      p99');
  for (const [name, all] of Object.entries(recoveries).toSorted()) say(timesLine(name, all));
  say(timesLine('all of them', Object.values(recoveries).flat()));
  say(`\nwrites ${JSON.stringify(answers)}; ${looks} looks at who owns the VIPs`);
  say(`dual owners ${dualOwners}, lost writes ${lostWrites}, orphans ${orphans}`);
  for (const one of broken) say(`BROKEN: ${one}`);
  if (broken.length === 0) say('no VIP had two owners, no accepted write was lost, nothing was left over');
}

async function rage(hasOwnNetwork: boolean): Promise<number> {
  const seed = Number(values.seed ?? Math.floor(Math.random() * 1e9));
  say(`seed ${seed}`);
  if (reasonWithoutIpVs !== null) say(`no kills of keepalived: ${reasonWithoutIpVs}`);
  const breaking = new AbortController();
  // A second Ctrl-C does not wait for the clean-up; the end of the process kills what is left.
  const breakOff = () => (breaking.signal.aborted ? process.exit(130) : breaking.abort());
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, breakOff);
  const options = { seed, durationMs: Number(values.minutes) * 60_000, hasOwnNetwork, signal: breaking.signal };
  try {
    const account = await Chaos.run({ ...options, say: (line) => say(`  ${line}`) });
    tell(account);
    return account.broken.length === 0 ? 0 : 1;
  } catch (error) {
    if (!breaking.signal.aborted) throw error;
    say('broken off: nothing is left behind, and nothing was judged');
    return 130;
  }
}

async function main(): Promise<number> {
  if (values.kills !== undefined) return kill(Number(values.kills));
  if (values['in-own-network']) return values.cases ? meetCases() : rage(true);
  const obstacle = values['no-partitions'] ? 'as was asked for' : obstacleToPartitions();
  if (obstacle === undefined)
    return runInOwnNetwork(fileURLToPath(import.meta.url), ['--in-own-network', ...process.argv.slice(2)]);
  say(`no network partitions: ${obstacle}`);
  if (values.cases) return 1;
  return rage(false);
}

process.exit(await main());
