// `npm run cost [-- --options]`: what a month costs, beside AWS's own load balancers. The options and their defaults are below.
import { parseArgs } from 'node:util';
import { costs, elasticCosts, type Fleet, heartbeatCost, idleCosts, machineCost, total } from './model.ts';
import { pricesOf } from './prices.ts';

const defaults = {
  'load-balancers': '1,100,10000',
  amphorae: '1',
  'per-machine': '1',
  'instance-type': 't4g.small',
  'disk-gb': '8',
  'member-changes-per-day': '50',
  'reads-per-day': '1000',
  'creations-per-day': '10',
  alarms: '15',
  'endpoint-zones': '0',
  'connections-per-second': '10',
  'active-connections': '300',
  'gb-per-hour': '0.5',
} as const;
type Option = keyof typeof defaults;

const options = Object.fromEntries(
  Object.entries(defaults).map(([name, value]) => [name, { type: 'string' as const, default: value }]),
);
const say = (line: string): void => void process.stdout.write(`${line}\n`);

function given(): Record<Option, string> {
  try {
    return parseArgs({ options }).values as Record<Option, string>;
  } catch (error) {
    process.stderr.write(
      `${(error as Error).message}\nOptions: ${Object.keys(defaults)
        .map((name) => `--${name}`)
        .join(' ')}\n`,
    );
    process.exit(2);
  }
}

const values = given();
function number(name: Option): number {
  const value = Number(values[name]);
  if (Number.isFinite(value) && value >= 0) return value;
  process.stderr.write(`--${name} ${values[name]} is not a number\n`);
  process.exit(2);
}

const fleetOf = (loadBalancers: number): Fleet => ({
  loadBalancers,
  amphoraePerLoadBalancer: number('amphorae'),
  amphoraePerMachine: Math.max(1, number('per-machine')),
  instanceType: values['instance-type'],
  diskGb: number('disk-gb'),
  memberChangesPerDay: number('member-changes-per-day'),
  readsPerDay: number('reads-per-day'),
  creationsPerDay: number('creations-per-day'),
  alarms: number('alarms'),
  endpointZones: number('endpoint-zones'),
});

const dollars = (value: number): string => `$${value.toFixed(2)}`.padStart(13);
const traffic = {
  newConnectionsPerS: number('connections-per-second'),
  activeConnections: number('active-connections'),
  gbPerHour: number('gb-per-hour'),
};
const sizes = values['load-balancers'].split(',').map(Number);
const parts = sizes.map((size) => costs(fleetOf(size)));

say(
  `US dollars a month at list prices of ${pricesOf.region}, ${pricesOf.date}, without free tiers and without data transfer\n`,
);
say(`${'load balancers'.padEnd(32)}${sizes.map((size) => String(size).padStart(13)).join('')}`);
for (const name of Object.keys(parts[0]!)) say(`${name.padEnd(32)}${parts.map((one) => dollars(one[name]!)).join('')}`);
say(`${'all'.padEnd(32)}${parts.map((one) => dollars(total(one))).join('')}`);
say(`${'each'.padEnd(32)}${parts.map((one, index) => dollars(total(one) / sizes[index]!)).join('')}`);
const elastic = sizes.map((size) => elasticCosts(size, traffic));
say(`${'Application Load Balancers'.padEnd(32)}${elastic.map(({ application }) => dollars(application)).join('')}`);
say(`${'Network Load Balancers'.padEnd(32)}${elastic.map(({ network }) => dollars(network)).join('')}`);

say('\nidle control plane');
const idle = idleCosts(fleetOf(0));
for (const [name, value] of [...Object.entries(idle), ['all', total(idle)] as const])
  say(`  ${name.padEnd(30)}${dollars(value)}`);
say('\nheartbeats of an amphora, of the price of its machine');
for (const size of sizes) {
  const amphorae = size * number('amphorae');
  const share = heartbeatCost(amphorae) / (machineCost(fleetOf(size)) / fleetOf(size).amphoraePerMachine);
  say(`  ${`among ${amphorae}`.padEnd(30)}${dollars(heartbeatCost(amphorae))}  ${(100 * share).toFixed(1)} %`);
}
