import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { BootDocument } from '../../amphora/boot-document.ts';
import { configFromEnvironment } from '../../lambdas/runtime/config.ts';
import { ec2Compute } from '../../lambdas/runtime/ec2-compute.ts';
import { Ec2World } from '../support/ec2-world.ts';
import { s3Credentials } from '../support/fake-s3.ts';

let world: Ec2World;
/** The only way to tell a client of AWS where it is to go, when nobody hands it in. */
const before = { ...process.env };
beforeEach(async () => {
  world = await Ec2World.start();
  Object.assign(process.env, {
    AWS_ENDPOINT_URL_EC2: world.ec2.endpoint,
    AWS_ACCESS_KEY_ID: 'test',
    AWS_SECRET_ACCESS_KEY: 'test',
  });
});
afterEach(async () => {
  process.env = { ...before };
  await world[Symbol.asyncDispose]();
});

const boot = () => ({
  amphora_id: randomUUID(),
  server_certificate: 'certificate',
  server_private_key: 'key',
  ca_certificate: 'authority',
  heartbeat_key: 'ab'.repeat(32),
  availability_zone: null,
  compute_flavor: null,
  image_tag: null,
});

const environment = () => ({
  OCTAVIA_COMPUTE_DRIVER: 'ec2',
  OCTAVIA_DEPLOYMENT_NAME: 'blue',
  OCTAVIA_SUBNETS: JSON.stringify(world.subnets),
  OCTAVIA_LAUNCH_TEMPLATE_ID: 'lt-0',
  OCTAVIA_AMPHORA_SECURITY_GROUPS: world.securityGroup,
  OCTAVIA_AMPHORA_IMAGE: 'tag:amphora',
  OCTAVIA_INSTANCE_TYPES: 't4g.nano, t4g.small',
  OCTAVIA_BOOT_BUCKET_NAME: 'boots',
  OCTAVIA_OBJECTS_ENDPOINT: world.s3.endpoint,
  OCTAVIA_OBJECTS_DRIVER: 's3',
  OCTAVIA_HEARTBEATS_QUEUE_URL: 'https://sqs.eu-central-1.api.aws/123456789012/heartbeats',
  OCTAVIA_REGION: 'eu-central-1',
});

it('an amphora on EC2 is built as the settings of its function say', async () => {
  const { clock, table } = world;
  const config = configFromEnvironment(environment());
  const compute = ec2Compute({ config, clock, table }, async () => s3Credentials);
  await compute.build(boot());
  const [made] = world.ec2.account.instances.values();
  expect(made).toMatchObject({ type: 't4g.nano', image: 'ami-1' });
  expect(made!.tags).toContainEqual({ key: 'octavia-serverless', value: 'blue' });
  expect(world.ec2.account.interfacesOf(made!.id)[0]!.groups).toEqual([world.securityGroup]);
  const document = made!.userData.split('\n').find((line) => line.startsWith('{'))!;
  const { settings, bundle } = JSON.parse(document) as BootDocument;
  expect(settings).toMatchObject({
    client_name: 'octavia-control-plane',
    heartbeat_queue_url: 'https://sqs.eu-central-1.api.aws/123456789012/heartbeats',
    sqs_endpoint: null,
    region: 'eu-central-1',
    logs: { chunk_bytes: config.log_chunk_bytes },
  });
  expect((await fetch(bundle.url)).status).toBe(200);
  world.clock.turn(config.boot_right_ms + 1_000);
  expect((await fetch(bundle.url)).status).toBe(403);
});
