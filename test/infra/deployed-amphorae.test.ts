// A deployment with the EC2 and VPC drivers, on the emulator of AWS with a fake of EC2 beside it: bundles, permissions as far as they are
// settings, boot documents and keys by presigned URLs are the deployed ones, the agents and HAProxy are real, and the network is loopback.
import { randomInt } from 'node:crypto';
import { DescribeLaunchTemplatesCommand, EC2Client } from '@aws-sdk/client-ec2';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readHealth } from '../../lambdas/repositories/health.ts';
import { readLoadBalancer } from '../../lambdas/repositories/trees.ts';
import { startMember } from '../support/agent-process.ts';
import { EmulatedCloud } from '../support/emulated-aws/cloud.ts';
import { Ec2Machines, type LoopbackSubnet } from '../support/emulated-aws/ec2-machines.ts';
import { whyNoEmulator } from '../support/emulated-aws/emulator.ts';
import { eventually } from '../support/eventually.ts';
import type { LoadBalancer } from '../support/octavia-client.ts';

const say = (line: string) => console.info(`deployed with amphorae: ${line}`);
const missing = await whyNoEmulator();
if (missing) say(`left out, as there is no emulator of AWS: ${missing}`);

/** As far as the emulator reads it. */
const signedForS3 =
  'AWS4-HMAC-SHA256 Credential=test/20260101/eu-central-1/s3/aws4_request, SignedHeaders=host, Signature=0';

const network = `127.${randomInt(120, 250)}`;
const vpc = {
  id: 'vpc-0a1b2c3d',
  cidr: `${network}.0.0/16`,
  availability_zones: ['eu-central-1a'],
  subnet_ids: ['subnet-0c1b2c3d'],
};
const subnet: LoopbackSubnet = {
  id: 'subnet-0a1b2c3d',
  vpc: vpc.id,
  zone: 'eu-central-1a',
  cidr: `${network}.1.0/24`,
  vips: `${network}.1.16/28`,
};

const context = (url: string) => ({
  'octavia:vpc': vpc,
  'octavia:subnets': [{ id: subnet.id, zone: subnet.zone, cidr: subnet.cidr, vips: subnet.vips, amphorae: true }],
  'octavia:objects_endpoint': url,
  'octavia:heartbeat_interval_ms': 1_000,
});

describe.skipIf(missing)('deployed with EC2 and VPC drivers, the stacks', () => {
  let cloud: EmulatedCloud;
  let machines: Ec2Machines;
  let member: Awaited<ReturnType<typeof startMember>>;
  let another: typeof member;
  let web: LoadBalancer;
  beforeAll(async () => {
    member = await startMember('one');
    another = await startMember('two');
    machines = await Ec2Machines.start([subnet], 'octavia-arm64');
    cloud = await EmulatedCloud.start(say, context, machines.ec2.endpoint);
    await shareWithFake();
  }, 240_000);
  afterAll(async () => {
    await machines?.[Symbol.asyncDispose]();
    await cloud?.stop();
    member?.stop();
    another?.stop();
  });

  /** What the stacks made of EC2 the emulator has; the fake is to know it too. */
  async function shareWithFake(): Promise<void> {
    const client = new EC2Client({ region: 'eu-central-1', endpoint: cloud.emulator.url });
    const { LaunchTemplates = [] } = await client.send(new DescribeLaunchTemplatesCommand({}));
    for (const { LaunchTemplateId } of LaunchTemplates) machines.ec2.account.launchTemplates.add(LaunchTemplateId!);
    const [, id] = Object.entries(cloud.deployed.outputs['octavia-network']!).find(([name]) =>
      /AmphoraeGroup/.test(name),
    )!;
    machines.ec2.account.groups.set(id, { id, name: 'amphorae', vpc: vpc.id, rules: [], tags: [], since: -1 });
  }

  const url = () => `http://${web.vip_address}:8080/`;

  async function leftOver() {
    const { account } = machines.ec2;
    const buckets = await (await fetch(cloud.emulator.url, { headers: { authorization: signedForS3 } })).text();
    const bucket = /<Name>([^<]*bundles[^<]*)</i.exec(buckets)![1]!;
    const list = await fetch(`${cloud.emulator.url}/${bucket}?list-type=2`, {
      headers: { authorization: signedForS3 },
    });
    const bundles = [...(await list.text()).matchAll(/<Key>/g)];
    const addresses = [...account.interfaces.values()].flatMap(({ addresses: all }) => all.slice(1));
    return { groups: [...account.groups.values()].map(({ name }) => name), bundles: bundles.length, addresses };
  }

  const step = async (name: string, work: () => Promise<unknown>) => {
    const before = performance.now();
    const { requests } = await cloud.requestsOf(work);
    const counted = Map.groupBy(
      requests.filter(({ action }) => action.startsWith('EC2 ')),
      ({ action }) => action,
    );
    const told = [...counted].map(([action, all]) => `${all.length} ${action.slice(4)}`);
    say(`${name}: ${Math.round(performance.now() - before)} ms; EC2: ${told.join(', ') || 'not asked'}`);
    return [...counted.keys()];
  };

  it('build an amphora out of its user data, which serves through the VIP', async () => {
    const asked = await step('create', async () => {
      const members = [{ address: '127.0.0.1', protocol_port: member.port }];
      const default_pool = { name: 'web', protocol: 'HTTP', lb_algorithm: 'ROUND_ROBIN', members };
      const listener = { name: 'http', protocol: 'HTTP', protocol_port: 8080, default_pool };
      web = await cloud.client.createLoadBalancer({ name: 'web', listeners: [listener] });
      await cloud.settled(web.id, 120_000);
    });
    expect(machines.failures).toEqual([]);
    web = await cloud.client.active(web.id);
    expect(asked).toEqual(expect.arrayContaining(['EC2 RunInstances', 'EC2 AssignPrivateIpAddresses']));
    expect(machines.running).toHaveLength(1);
    const answer = await fetch(url());
    expect([answer.status, await answer.text()]).toEqual([200, expect.stringContaining('one')]);
    say(`traffic: ${web.vip_address}:8080 answers ${answer.status} through HAProxy of the amphora`);
  }, 180_000);

  it('hear its heartbeats, signed with the key it was born with', async () => {
    const heard = async () => {
      const { amphora_ids } = (await readLoadBalancer(cloud.services.table, web.id))!;
      return (await readHealth(cloud.services.table, amphora_ids)).get(amphora_ids[0]!);
    };
    const first = (await heard())?.last_seen ?? 0;
    await eventually('another heartbeat', async () => ((await heard())?.last_seen ?? 0) > first);
    const { statuses } = await cloud.client.call('GET', `/v2.0/lbaas/loadbalancers/${web.id}/status`);
    expect(statuses.loadbalancer.operating_status).toBe('ONLINE');
    say('heartbeats: from the agent by SQS to the health manager');
  });

  it('open its ports in a security group of its own, for whom a listener allows', async () => {
    const doors = () => {
      const its = [...machines.ec2.account.groups.values()].find(({ name }) => name.endsWith(web.id));
      return its?.rules.map(({ protocol, from, cidr }) => `${protocol} ${from} ${cidr}`).toSorted();
    };
    await eventually('the first port is open', () => doors()?.join() === 'tcp 8080 0.0.0.0/0');
    const listener = { loadbalancer_id: web.id, protocol: 'TCP', protocol_port: 8081, allowed_cidrs: ['192.0.2.0/24'] };
    const { id } = await cloud.client.create('listeners', listener);
    await eventually('another port is open', () => doors()?.length === 2, 20_000);
    expect(doors()).toEqual(['tcp 8080 0.0.0.0/0', 'tcp 8081 192.0.2.0/24']);
    await cloud.settled(web.id);
    await cloud.client.call('DELETE', `/v2.0/lbaas/listeners/${id}`);
    await eventually('it is shut again', () => doors()?.length === 1, 20_000);
    await cloud.settled(web.id);
    say('security group: ports opened and shut as listeners come and go, told by the stream of the table');
  }, 120_000);

  it('bring a member into force by the worker, which asks nothing of EC2', async () => {
    const [{ id }] = web.pools as [{ id: string }];
    const asked = await step('member', async () => {
      await cloud.client.create(`pools/${id}/members`, { address: '127.0.0.1', protocol_port: another.port });
      await cloud.settled(web.id);
    });
    expect(asked).toEqual([]);
    const seen = new Set<string>();
    await eventually('both members answer', async () => {
      seen.add(await (await fetch(url())).text());
      return [...seen].some((text) => text.includes('one')) && [...seen].some((text) => text.includes('two'));
    });
  });

  it('fail it over to another machine, and end the one before', async () => {
    const [before] = machines.running;
    const asked = await step('failover', async () => {
      await cloud.client.failover(web.id);
      await cloud.settled(web.id, 120_000);
    });
    await cloud.client.active(web.id);
    expect(asked).toEqual(expect.arrayContaining(['EC2 RunInstances', 'EC2 TerminateInstances']));
    const [now, ...others] = machines.running;
    expect([now!.id === before!.id, others]).toEqual([false, []]);
    const [its] = machines.ec2.account.interfacesOf(now!.id);
    expect(its!.addresses).toContain(web.vip_address);
    expect((await fetch(url())).status).toBe(200);
  }, 180_000);

  it('delete it, and leave nothing of it with EC2 or S3', async () => {
    await step('delete', async () => {
      await cloud.client.call('DELETE', `/v2.0/lbaas/loadbalancers/${web.id}?cascade=true`);
      await cloud.settled(web.id);
    });
    expect(machines.running).toEqual([]);
    expect(await leftOver()).toEqual({ groups: ['amphorae'], bundles: 0, addresses: [] });
    say('left of it: no machine, no security group, no address, no boot bundle');
  });

  it('end a create that EC2 has no room for in ERROR, with why, and leave nothing', async () => {
    machines.ec2.account.withoutCapacity.add('* eu-central-1a');
    let crowded: LoadBalancer;
    await step('create without room', async () => {
      crowded = await cloud.client.createLoadBalancer({ name: 'crowded' });
      // The flow tries for as long as a passing want of room may take.
      await cloud.settled(crowded.id, 180_000);
    });
    const { explanation } = await cloud.client.call('GET', `/v2.0/lbaas/loadbalancers/${crowded!.id}/explain`);
    say(`explained: ${explanation.summary[0]}`);
    expect(explanation).toMatchObject({ provisioning_status: 'ERROR', reason: expect.stringMatching(/no room/) });
    await cloud.client.call('DELETE', `/v2.0/lbaas/loadbalancers/${crowded!.id}`);
    await cloud.settled(crowded!.id);
    expect(machines.running).toEqual([]);
    expect(await leftOver()).toEqual({ groups: ['amphorae'], bundles: 0, addresses: [] });
  }, 240_000);
});
