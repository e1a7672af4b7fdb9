// Heartbeats on AWS: the bundled agent, as images have it, signs them with the credentials of its instance's role.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { AgentSettings, SignedHeartbeat } from '../../amphora/agent-api.ts';
import { bundleProgram } from '../../amphora/image/bundle.ts';
import { authority, freePort, makeAddress } from '../support/agent-process.ts';
import { eventually } from '../support/eventually.ts';
import { haproxyPath } from '../support/haproxy.ts';
import { InstanceWorld, roleCredentials } from '../support/instance-world.ts';

const amphora_id = '11111111-1111-4111-8111-111111111111';
let world: InstanceWorld;
let directory: string;

beforeAll(async () => {
  world = await InstanceWorld.open();
  world.machines.set(amphora_id, { address: '10.0.0.7', bundle: undefined, fetches: 0 });
  directory = mkdtempSync(join(tmpdir(), 'role-'));
  await bundleProgram('amphora/agent/main.ts', join(directory, 'agent.mjs'));
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
  rmSync(directory, { recursive: true, force: true });
});

async function writeSettings(): Promise<string> {
  const address = makeAddress();
  const own = await authority.issue(amphora_id);
  const files = { 'server.pem': own.certificate, 'server-key.pem': own.private_key, 'ca.pem': authority.certificate };
  for (const [name, text] of Object.entries(files)) writeFileSync(join(directory, name), text);
  const settings: AgentSettings = {
    amphora_id,
    bind_address: address,
    bind_port: await freePort(address),
    directory: 'run',
    server_certificate_file: 'server.pem',
    server_private_key_file: 'server-key.pem',
    ca_certificate_file: 'ca.pem',
    client_name: 'octavia-control-plane',
    heartbeat_key: 'ab'.repeat(32),
    heartbeat_interval_ms: 200,
    heartbeat_queue_url: `${world.endpoint}/123456789012/heartbeats`,
    sqs_endpoint: null,
    region: 'eu-central-1',
    haproxy_path: haproxyPath,
    hard_stop_after_ms: 1_000,
    max_connections: 100,
    ends_with_stdin: true,
  };
  writeFileSync(join(directory, 'settings.json'), JSON.stringify(settings));
  return join(directory, 'settings.json');
}

test('an agent on an EC2 instance signs its heartbeats with the credentials of the instance’s role', async () => {
  const env = { AWS_EC2_METADATA_SERVICE_ENDPOINT: world.endpoint };
  const args = [join(directory, 'agent.mjs'), '--config', await writeSettings()];
  const agent = spawn(process.execPath, args, { env, stdio: ['pipe', 'ignore', 'pipe'] });
  let complaints = '';
  agent.stderr.setEncoding('utf8').on('data', (text: string) => {
    complaints += text;
  });
  const ended = once(agent, 'exit');
  try {
    await eventually('two heartbeats arrive', () => world.messages.length >= 2);
  } finally {
    agent.stdin.end();
    await ended;
  }
  expect(complaints).toBe('');
  for (const { body, accessKeyId, token } of world.messages) {
    expect({ accessKeyId, token }).toEqual({ accessKeyId: roleCredentials.AccessKeyId, token: roleCredentials.Token });
    expect((JSON.parse(body) as SignedHeartbeat).amphora_id).toBe(amphora_id);
  }
});
