// `npm run chaos [-- --minutes N --seed S]`: real processes under traffic and writes, killed and stopped at random. Ends with 1 when a
// promise was broken. The seed repeats the choice of faults; what they meet is up to the moment. With `--kills N` instead: so many
// amphorae of a pair and of a single load balancer are killed one after the other, and the time until somebody answers is measured.
import { parseArgs } from 'node:util';
import { measureKills } from './kills.ts';
import { percentile } from './probe.ts';
import { Chaos } from './run.ts';

const { values } = parseArgs({
  options: { minutes: { type: 'string', default: '3' }, seed: { type: 'string' }, kills: { type: 'string' } },
});
const seed = Number(values.seed ?? Math.floor(Math.random() * 1e9));
const say = (line: string): void => void process.stdout.write(`${line}\n`);

function timesLine(name: string, all: number[]): string {
  const ms = [percentile(all, 0.5), percentile(all, 0.99)].map((one) => one.toFixed(0).padStart(8));
  return `  ${name.padEnd(38)} ${String(all.length).padStart(8)} ${ms.join(' ')}`;
}

if (values.kills !== undefined) {
  say('killed until somebody answers, ms          times      p50      p99');
  for (const [name, all] of Object.entries(await measureKills(Number(values.kills)))) say(timesLine(name, all));
  process.exit(0);
}
say(`seed ${seed}`);
say('no network partitions: every amphora is on the loopback of one network namespace, which nothing can cut in two');
say('no kills of keepalived: it runs for UDP and SCTP listeners alone, which not every kernel can serve');
const account = await Chaos.run({ seed, durationMs: Number(values.minutes) * 60_000, say: (line) => say(`  ${line}`) });

say('\navailability');
for (const [name, share] of Object.entries(account.availability))
  say(`  ${name.padEnd(12)} ${(100 * share).toFixed(3)} %`);
say('\nfrom the fault to the next answer, ms       times      p50      p99');
for (const [name, all] of Object.entries(account.recoveries).toSorted()) say(timesLine(name, all));
say(`\nwrites ${JSON.stringify(account.answers)}; ${account.looks} looks at who owns the VIPs`);
for (const one of account.broken) say(`BROKEN: ${one}`);
if (account.broken.length === 0) say('no VIP had two owners, no accepted write was lost, nothing was left over');
process.exit(account.broken.length === 0 ? 0 : 1);
