// A service with process amphorae, to be killed by a test: builds the one whose boot it reads, and stays.
// Arguments: state directory, range of addresses, and `ephemeral` if so.
import { text } from 'node:stream/consumers';
import type { AmphoraBoot } from '../../lambdas/drivers/compute/compute-driver.ts';
import { serviceOn } from './process-amphorae.ts';

const [state = '', cidr = '', lifetime] = process.argv.slice(2);
const compute = serviceOn(state, cidr, { ephemeral: lifetime === 'ephemeral' });
await compute.build(JSON.parse(await text(process.stdin)) as AmphoraBoot);
setInterval(() => {}, 60_000);
