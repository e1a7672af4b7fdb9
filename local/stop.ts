// `npm run stop`: ends the service of a state directory and every amphora it left behind, as after a kill -9 that nothing followed.
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { ProcessComputeDriver } from './compute/process-compute.ts';
import { readRunning } from './state-directory.ts';

const { values } = parseArgs({ options: { state: { type: 'string', default: '.octavia' } } });
const state = resolve(values.state);
const say = (text: string): void => void process.stdout.write(`${text}\n`);

async function stopService(): Promise<void> {
  const running = readRunning(state);
  if (running === undefined) return say('No service is running.');
  process.kill(running.pid, 'SIGTERM');
  const giveUpAt = Date.now() + 15_000;
  while (readRunning(state) && Date.now() < giveUpAt) await sleep(50);
  if (readRunning(state)) process.kill(running.pid, 'SIGKILL');
  say(`The service at ${running.endpoint} is stopped.`);
}

async function stopAmphorae(): Promise<void> {
  if (!existsSync(join(state, 'amphorae'))) return;
  const agent = {
    client_name: '',
    heartbeat_interval_ms: 0,
    heartbeat_queue_url: '',
    sqs_endpoint: null,
    region: '',
    haproxy_path: 'haproxy',
    hard_stop_after_ms: 0,
    max_connections: null,
  };
  const compute = new ProcessComputeDriver({ state, agentFile: '', agent });
  await compute.stopAll();
  say('No amphora is running.');
}

await stopService();
await stopAmphorae();
