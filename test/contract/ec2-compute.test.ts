import { createHash, randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type BootDocument, bootFile } from '../../amphora/boot-document.ts';
import { DriverError } from '../../lambdas/domain/errors.ts';
import type { AmphoraBoot } from '../../lambdas/drivers/compute/compute-driver.ts';
import type { Ec2ComputeDriver } from '../../lambdas/drivers/compute/ec2.ts';
import { queryAll } from '../../lambdas/drivers/table/table.ts';
import { deployment, Ec2World } from '../support/ec2-world.ts';
import type { FakeInstance } from '../support/fake-ec2/account.ts';

const key = '-----BEGIN PRIVATE KEY-----\nnobody may read this\n-----END PRIVATE KEY-----\n';
const bootOf = (wish: Partial<AmphoraBoot> = {}): AmphoraBoot => ({
  amphora_id: randomUUID(),
  server_certificate: 'certificate',
  server_private_key: key,
  ca_certificate: 'authority',
  heartbeat_key: 'ab'.repeat(32),
  availability_zone: null,
  compute_flavor: null,
  image_tag: null,
  ...wish,
});

let world: Ec2World;
let compute: Ec2ComputeDriver;
beforeEach(async () => {
  world = await Ec2World.start();
  compute = world.compute();
});
afterEach(() => world[Symbol.asyncDispose]());

const instances = (): FakeInstance[] => [...world.ec2.account.instances.values()];
const running = () => instances().filter(({ ended }) => ended === undefined);
const documentOf = ({ userData }: FakeInstance) =>
  JSON.parse(userData.split('\n').find((line) => line.startsWith('{'))!) as BootDocument;
const failure = async (work: Promise<unknown>): Promise<DriverError> => {
  const error = await work.then(
    () => undefined,
    (thrown) => thrown,
  );
  expect(error).toBeInstanceOf(DriverError);
  return error as DriverError;
};

describe('what an EC2 amphora is born with', () => {
  it('has nothing secret in its user data, and fetches the rest by a URL that is good for it alone', async () => {
    const boot = bootOf();
    await compute.build(boot);
    const [made] = instances();
    expect(made!.userData).toMatch(/^#!\/bin\/sh\n/);
    expect(made!.userData).toContain(bootFile);
    for (const secret of [key, 'PRIVATE', boot.heartbeat_key, boot.server_certificate])
      expect(made!.userData).not.toContain(secret);
    const { amphora_id, bundle, settings } = documentOf(made!);
    expect(amphora_id).toBe(boot.amphora_id);
    expect(settings.region).toBe('eu-central-1');
    const bytes = Buffer.from(await (await fetch(bundle.url)).arrayBuffer());
    expect(createHash('sha256').update(bytes).digest('hex')).toBe(bundle.sha256);
    expect(JSON.parse(bytes.toString())).toMatchObject({ server_private_key: key, heartbeat_key: boot.heartbeat_key });
    world.clock.turn(901_000);
    expect((await fetch(bundle.url)).status).toBe(403);
  });

  it('leaves nothing of it behind when the machine ends', async () => {
    const made = await compute.build(bootOf());
    expect(world.s3.objects.size).toBe(1);
    await compute.delete(made.compute_id);
    expect(world.s3.objects.size).toBe(0);
    for (const pk of ['EC2#launches', 'EC2#machines']) expect(await queryAll(world.table, { pk })).toEqual([]);
  });

  it('is what was made for it first, whoever builds it again', async () => {
    const boot = bootOf();
    world.ec2.on('RunInstances', 'before', { code: 'RequestLimitExceeded', status: 503 });
    await failure(compute.build(boot));
    await compute.build({ ...boot, server_private_key: 'another' });
    const { bundle } = documentOf(instances()[0]!);
    expect(await (await fetch(bundle.url)).json()).toMatchObject({ server_private_key: key });
  });

  it('waits for S3 where that is away', async () => {
    world.s3.failures = 1;
    const boot = bootOf();
    expect((await failure(compute.build(boot))).isTransient).toBe(true);
    await compute.build(boot);
    expect(instances()).toHaveLength(1);
  });
});

describe('an EC2 amphora', () => {
  it('has no public address, IMDSv2 alone, the tags of its deployment, and ends when it is shut down', async () => {
    const server_group = randomUUID();
    const boot = bootOf({ server_group, availability_zone: 'az2' });
    await compute.build(boot);
    const [made] = instances();
    const tags = Object.fromEntries(made!.tags.map(({ key: name, value }) => [name, value]));
    expect(tags).toMatchObject({
      'octavia-serverless': deployment,
      'octavia:amphora-id': boot.amphora_id,
      'octavia:server-group': server_group,
    });
    expect(made!.subnet.id).toBe('subnet-b');
    expect(world.ec2.last('RunInstances')).toMatchObject({
      NetworkInterface: [{ AssociatePublicIpAddress: 'false', DeleteOnTermination: 'true' }],
      MetadataOptions: { HttpTokens: 'required', HttpPutResponseHopLimit: '1' },
      InstanceInitiatedShutdownBehavior: 'terminate',
    });
    const [its] = world.ec2.account.interfacesOf(made!.id);
    expect(its!.groups).toEqual([world.securityGroup]);
    expect(its!.tags).toEqual(made!.tags);
  });

  it.each([
    [null, 't4g.small'],
    ['t4g.nano', 't4g.nano'],
    ['c7g.large, t4g.medium', 'c7g.large'],
  ])('of compute flavor %s is a %s', async (compute_flavor, type) => {
    await compute.build(bootOf({ compute_flavor }));
    expect(instances()[0]!.type).toBe(type);
  });

  it('is made of the newest image with the tag its flavor names', async () => {
    world.image('ami-2', 'amphora', '2025-03-01T00:00:00.000Z');
    world.image('ami-3', 'other', '2025-02-01T00:00:00.000Z');
    const wish = { availability_zone: null, compute_flavor: null, image_tag: null };
    expect(await compute.currentImage(wish)).toBe('ami-2');
    expect(await compute.currentImage({ ...wish, image_tag: 'other' })).toBe('ami-3');
    expect((await failure(compute.currentImage({ ...wish, image_tag: 'none' }))).message).toMatch(
      /setting amphora_image/,
    );
    expect(await world.compute({ image: 'ami-1' }).currentImage(wish)).toBe('ami-1');
    expect(await world.compute({ image: 'name:self/amphora-ami-*' }).currentImage(wish)).toBe('ami-2');
    // A minute is remembered: housekeeping asks for each load balancer.
    const asked = world.ec2.count('DescribeImages');
    world.image('ami-4', 'amphora', '2025-04-01T00:00:00.000Z');
    expect(await compute.currentImage(wish)).toBe('ami-2');
    expect(world.ec2.count('DescribeImages')).toBe(asked);
    world.clock.turn(61_000);
    expect(await compute.currentImage(wish)).toBe('ami-4');
  });

  it('is found among those of its deployment, however many pages they are on', async () => {
    world.ec2.account.pageSize = 2;
    const made = [];
    for (let number = 0; number < 5; number++) made.push(await compute.build(bootOf()));
    await world.compute({ deployment: 'another' }).build(bootOf());
    const listed = await compute.list();
    expect(listed.map(({ compute_id }) => compute_id).sort()).toEqual(made.map(({ compute_id }) => compute_id).sort());
  });
});

describe('spread over hosts', () => {
  it('puts a pair into one placement group, and seven machines in a zone at most', async () => {
    compute = world.compute({ spreadGroups: 1 });
    const pair = { server_group: randomUUID(), availability_zone: 'az1' };
    await Promise.all([compute.build(bootOf(pair)), compute.build(bootOf(pair))]);
    expect(instances().map(({ group }) => group)).toEqual(['octavia-spread-0', 'octavia-spread-0']);
    for (let number = 0; number < 6; number++) await compute.build(bootOf(pair));
    const groups = instances().map(({ group }) => group);
    expect(groups.filter((group) => group === 'octavia-spread-0')).toHaveLength(7);
    // Somewhere is better than nowhere.
    expect(groups.filter((group) => group === undefined)).toHaveLength(1);
  });
});

describe('where EC2 has no room', () => {
  const places = () => instances().map(({ type, subnet }) => `${type} ${subnet.zone}`);

  it('tries the next zone, and then the next type', async () => {
    for (const type of ['t4g.small'])
      for (const zone of ['az1', 'az2']) world.ec2.account.withoutCapacity.add(`${type} ${zone}`);
    await compute.build(bootOf());
    expect(places()).toEqual([expect.stringMatching(/^t4g\.medium /)]);
    world.ec2.account.withoutCapacity.clear();
    world.ec2.account.withoutCapacity.add('* az1');
    for (let number = 0; number < 4; number++) await compute.build(bootOf());
    expect(new Set(places().slice(1))).toEqual(new Set(['t4g.small az2']));
  });

  it('stays in the zone that was asked for, and says what was tried', async () => {
    world.ec2.account.withoutCapacity.add('* az1');
    const error = await failure(compute.build(bootOf({ availability_zone: 'az1' })));
    expect(error.message).toMatch(/t4g\.small in az1: InsufficientInstanceCapacity, t4g\.medium in az1/);
    expect(error.userText).not.toMatch(/az1|t4g/);
    expect(instances()).toEqual([]);
    // Keys of an amphora that will not be.
    expect(world.s3.objects.size).toBe(0);
  });

  it('tries all of them again, by tokens that were not used before', async () => {
    world.ec2.account.withoutCapacity.add('* az1').add('* az2');
    const boot = bootOf();
    await failure(compute.build(boot));
    world.ec2.account.withoutCapacity.clear();
    await compute.build(boot);
    expect(instances()).toHaveLength(1);
  });

  it('passes on when a subnet has no address left', async () => {
    world.ec2.on('RunInstances', 'before', { code: 'InsufficientFreeAddressesInSubnet' });
    await compute.build(bootOf());
    expect(world.ec2.count('RunInstances')).toBe(2);
    expect(instances()).toHaveLength(1);
  });

  it('names the quota that is used up, for the operator, and tries nowhere else', async () => {
    world.ec2.account.vcpuLimit = 2;
    await compute.build(bootOf());
    const error = await failure(compute.build(bootOf()));
    expect(error.message).toMatch(/VcpuLimitExceeded.*vCPU limit of 2.*Service Quotas/);
    expect(error.isTransient).toBe(false);
    expect(world.ec2.count('RunInstances')).toBe(2);
  });

  it('refuses a zone without a subnet for amphorae by its name', async () => {
    expect((await failure(compute.build(bootOf({ availability_zone: 'az9' })))).message).toMatch(/zone az9/);
  });
});

describe('one machine for an amphora', () => {
  const tries: Record<string, Parameters<Ec2World['ec2']['on']>[2]> = {
    'its start is not answered': {},
    'its start is answered by a server fault': { code: 'InternalError', status: 500 },
    'its start is throttled after all': { code: 'RequestLimitExceeded', status: 503 },
  };
  const lags = [0, 3];
  it.each(Object.keys(tries).flatMap((what) => lags.map((lag) => [what, lag] as const)))(
    'though %s, and it is seen %i requests late',
    async (what, lag) => {
      world.ec2.account.lag = lag;
      const boot = bootOf();
      // Interfaces and groups that were there before are seen.
      world.ec2.on('RunInstances', 'after', tries[what]);
      expect((await failure(compute.build(boot))).isTransient).toBe(true);
      // Another process, a moment later: the URL in the user data is another one.
      world.clock.turn(5_000);
      const again = world.compute();
      let built: { compute_id: string } | undefined;
      for (let attempt = 0; attempt < 5 && built === undefined; attempt++)
        built = await again.build(boot).catch((error) => {
          expect(error).toMatchObject({ name: 'DriverError', isTransient: true });
          return undefined;
        });
      expect(built?.compute_id).toBe(instances()[0]!.id);
      expect(instances()).toHaveLength(1);
    },
  );

  it('though the zone before had no room, and the one that had does not answer', async () => {
    world.ec2.account.lag = 4;
    world.ec2.account.withoutCapacity.add('t4g.small az1').add('t4g.small az2');
    const boot = bootOf();
    world.ec2.on('RunInstances', 'after', {});
    await failure(compute.build(boot));
    expect(places()).toHaveLength(1);
    // Room again where there was none: going there now would make a second machine.
    world.ec2.account.withoutCapacity.clear();
    for (let attempt = 0; attempt < 6; attempt++) await compute.build(boot).catch(() => {});
    expect(instances()).toHaveLength(1);
  });
  const places = () => instances();

  it('when many build it at once', async () => {
    const boot = bootOf();
    const built = await Promise.allSettled(Array.from({ length: 8 }, () => world.compute().build(boot)));
    expect(instances()).toHaveLength(1);
    for (const each of built)
      if (each.status === 'rejected') expect(each.reason).toMatchObject({ name: 'DriverError', isTransient: true });
  });
});

describe('a machine that EC2 does not show yet', () => {
  it('is not gone, until it should have been seen', async () => {
    world.ec2.account.lag = 6;
    const made = await compute.build(bootOf());
    expect(await compute.get(made.compute_id)).toMatchObject({ state: 'BOOTING', amphora_id: made.amphora_id });
    for (let look = 0; look < 6; look++) await compute.get(made.compute_id);
    expect(await compute.get(made.compute_id)).toMatchObject({ state: 'RUNNING' });
    expect((await compute.get('i-never')).state).toBe('GONE');
    world.ec2.account.lag = 1_000;
    world.clock.turn(301_000);
    expect((await compute.get(made.compute_id)).state).toBe('GONE');
  });

  it('is not taken for ended either', async () => {
    world.ec2.account.lag = 6;
    const made = await compute.build(bootOf());
    await failure(compute.delete(made.compute_id));
    for (let attempt = 0; attempt < 5; attempt++) await compute.delete(made.compute_id).catch(() => {});
    expect(running()).toEqual([]);
    expect(world.s3.objects.size).toBe(0);
  });
});

describe('ending a machine', () => {
  it('may be asked for twice, and by who got no answer', async () => {
    const made = await compute.build(bootOf());
    world.ec2.on('TerminateInstances', 'after', {});
    expect((await failure(compute.delete(made.compute_id))).isTransient).toBe(true);
    await compute.delete(made.compute_id);
    await compute.delete(made.compute_id);
    expect(running()).toEqual([]);
    expect(world.s3.objects.size).toBe(0);
    expect(await compute.list()).toEqual([]);
  });
});

describe('of a stock Debian image, an EC2 amphora', () => {
  it('is told to fetch the kit from the bucket of its keys, by a URL that ends, and to run it before it becomes one', async () => {
    const kit = 'ab'.repeat(32);
    await using world = await Ec2World.start();
    await world.compute({ kit }).build(bootOf());
    const [instance] = [...world.ec2.account.instances.values()];
    const script = instance!.userData;
    expect(script).toMatch(new RegExp(`/kit/${kit}\\.tar\\.gz\\?X-Amz-Algorithm=.*X-Amz-Expires=900`));
    expect(script).toContain(`echo "${kit}  $kit.tar.gz" | sha256sum --check`);
    expect(script.indexOf('install.sh')).toBeLessThan(script.indexOf('systemctl start'));
  });
});
