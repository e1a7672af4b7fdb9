import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { AgentSettings } from '../../amphora/agent-api.ts';
import { type Boot, becomeAmphora } from '../../amphora/boot/become-amphora.ts';
import { instanceMetadata } from '../../amphora/boot/instance-metadata.ts';
import { type BootBundle, type BootDocument, userDataOf } from '../../amphora/boot-document.ts';
import { eventually } from '../support/eventually.ts';
import { InstanceWorld } from '../support/instance-world.ts';

const amphora_id = '11111111-1111-4111-8111-111111111111';
const another = '22222222-2222-4222-8222-222222222222';
let world: InstanceWorld;
let place: string;

beforeEach(async () => {
  world = await InstanceWorld.open();
  place = mkdtempSync(join(tmpdir(), 'boot-'));
});
afterEach(async () => {
  await world[Symbol.asyncDispose]();
  rmSync(place, { recursive: true, force: true });
});

const bundleOf = (id: string): BootBundle => ({
  version: 1,
  amphora_id: id,
  server_certificate: `certificate of ${id}`,
  server_private_key: `key of ${id}`,
  ca_certificate: 'authority',
  heartbeat_key: 'ab'.repeat(32),
});
const settings = {
  client_name: 'octavia-control-plane',
  heartbeat_interval_ms: 10_000,
  heartbeat_queue_url: 'https://sqs.eu-central-1.amazonaws.com/123456789012/heartbeats',
  sqs_endpoint: null,
  region: 'eu-central-1',
  hard_stop_after_ms: 30_000,
  max_connections: null,
};
const documentOf = (id: string, bundle = world.put(id, '10.0.0.7', bundleOf(id))): BootDocument => ({
  version: 1,
  amphora_id: id,
  bundle,
  settings,
});

const directory = () => join(place, 'octavia');
const inDirectory = (name: string) => readFileSync(join(directory(), name), 'utf8');
const settingsThere = (): AgentSettings => JSON.parse(inDirectory('settings.json'));

function boot(document: unknown, forMs = 0): Promise<Boot> {
  const file = join(place, 'boot.json');
  writeFileSync(file, typeof document === 'string' ? document : JSON.stringify(document));
  return becomeAmphora({
    document: file,
    directory: directory(),
    metadata: instanceMetadata(world.metadataOf(amphora_id)),
    patience: { forMs, pauseMs: 5 },
  });
}

describe('an instance at its first boot', () => {
  test('becomes the amphora its user data names, with keys nobody else may read', async () => {
    expect(await boot(documentOf(amphora_id))).toEqual({ amphora_id, outcome: 'made' });
    expect(settingsThere()).toMatchObject({
      ...settings,
      amphora_id,
      bind_address: '10.0.0.7',
      bind_port: 9443,
      heartbeat_key: 'ab'.repeat(32),
      ends_with_stdin: false,
    });
    expect(inDirectory('server-key.pem')).toBe(`key of ${amphora_id}`);
    for (const name of ['settings.json', 'server.pem', 'server-key.pem', 'ca.pem'])
      expect(statSync(join(directory(), name)).mode & 0o777, name).toBe(0o600);
  });

  test('waits for a bundle that is put after it was started', async () => {
    const document = documentOf(amphora_id);
    const machine = world.machines.get(amphora_id)!;
    const { bundle } = machine;
    machine.bundle = undefined;
    const booted = boot(document, 20_000);
    await eventually('it has asked in vain', () => machine.fetches > 1);
    machine.bundle = bundle;
    expect(await booted).toMatchObject({ outcome: 'made' });
  });

  test('throws away what is not the bundle its user data speak of', async () => {
    const document = documentOf(amphora_id);
    world.machines.get(amphora_id)!.bundle = Buffer.from(JSON.stringify(bundleOf(another)));
    await expect(boot(document)).rejects.toThrow('another SHA-256');
    expect(existsSync(join(directory(), 'server-key.pem'))).toBe(false);
  });

  test('does not become an amphora with the keys of another', async () => {
    const foreign = world.put(another, '10.0.0.7', bundleOf(another));
    world.put(amphora_id, '10.0.0.7', bundleOf(amphora_id));
    await expect(boot(documentOf(amphora_id, foreign))).rejects.toThrow(`the boot bundle is that of ${another}`);
  });

  test('reads no more than a bundle can have', async () => {
    const document = documentOf(amphora_id);
    world.machines.get(amphora_id)!.bundle = Buffer.alloc(300_000);
    await expect(boot(document)).rejects.toThrow('larger than');
  });

  test('says what keeps it from becoming one, and never the URL', async () => {
    const document = documentOf(amphora_id);
    world.machines.get(amphora_id)!.bundle = undefined;
    const failure = await boot(document).catch((error: Error) => error);
    expect(String(failure)).toContain('answers 404');
    expect(String(failure)).not.toContain('X-Amz-Signature');
    await expect(boot('not JSON')).rejects.toThrow('cannot be read as a boot document');
    await expect(boot({ version: 2 })).rejects.toThrow('version 2');
    world.isDown = true;
    await expect(boot(document)).rejects.toThrow('metadata service answers 503');
  });
});

describe('an instance that was an amphora before', () => {
  test('is the same after a reboot, when neither the bundle nor EC2 answers any more', async () => {
    const document = documentOf(amphora_id);
    await boot(document);
    const before = settingsThere();
    world.isDown = true;
    expect(await boot(document)).toEqual({ amphora_id, outcome: 'kept' });
    expect(settingsThere()).toEqual(before);
  });

  test('becomes another when its disk is a copy, and keeps nothing of the first', async () => {
    await boot(documentOf(amphora_id));
    writeFileSync(join(directory(), 'left-over'), 'of the first');
    expect(await boot(documentOf(another))).toEqual({ amphora_id: another, outcome: 'made' });
    expect(inDirectory('server-key.pem')).toBe(`key of ${another}`);
    expect(existsSync(join(directory(), 'left-over'))).toBe(false);
  });

  test('begins again when it was cut off before the settings were written', async () => {
    const document = documentOf(amphora_id);
    await boot(document);
    rmSync(join(directory(), 'settings.json'));
    expect(await boot(document)).toEqual({ amphora_id, outcome: 'made' });
  });
});

describe('user data', () => {
  test('leave the document where the unit of the image looks for it', () => {
    const script = userDataOf(documentOf(amphora_id));
    const unit = readFileSync('amphora/image/root/etc/systemd/system/octavia-agent.service', 'utf8');
    expect(script).toContain('cat > /etc/octavia/boot.json');
    expect(unit).toContain('LoadCredential=boot.json:/etc/octavia/boot.json');
    expect(unit).toContain('ConditionPathExists=/etc/octavia/boot.json');
    expect(script).toContain('systemctl start --no-block octavia-agent.service');
  });

  test('make octavia-boot end with 1 and say why when there is nothing to read', () => {
    const args = ['amphora/boot/main.ts', '--document', join(place, 'absent'), '--directory', directory()];
    const { status, stdout } = spawnSync(process.execPath, args, { encoding: 'utf8' });
    expect(status).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({ message: 'this machine does not become an amphora' });
  });
});
