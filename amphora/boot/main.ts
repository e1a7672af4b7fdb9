// octavia-boot: run before each start of the agent, it makes the agent's files out of what EC2 gave the machine, once.
// Octavia's images find theirs on a config drive.
import { parseArgs } from 'node:util';
import { log, textOf } from '../agent/log.ts';
import { becomeAmphora } from './become-amphora.ts';
import { bundlePatience } from './boot-bundle.ts';
import { instanceMetadata } from './instance-metadata.ts';

const { document, directory, metadata } = parseArgs({
  options: {
    document: { type: 'string' },
    directory: { type: 'string' },
    metadata: { type: 'string', default: 'http://169.254.169.254' },
  },
}).values;
if (document === undefined || directory === undefined) {
  process.stderr.write('usage: octavia-boot --document FILE --directory DIRECTORY [--metadata URL]\n');
  process.exit(2);
}
try {
  const options = { document, directory, metadata: instanceMetadata(metadata), patience: bundlePatience };
  const { amphora_id, outcome } = await becomeAmphora(options);
  log(outcome === 'made' ? 'this machine is an amphora now' : 'this machine is an amphora already', { amphora_id });
} catch (error) {
  log('this machine does not become an amphora', { error: textOf(error) });
  process.exit(1);
}
