// An account with a VPC of two zones, a bucket and the drivers over them, as the functions have them.
import type { BootSettings } from '../../amphora/boot-document.ts';
import { S3BootBundles } from '../../lambdas/drivers/compute/boot-bundles.ts';
import { Ec2ComputeDriver, type Ec2ComputeOptions } from '../../lambdas/drivers/compute/ec2.ts';
import { VpcNetworkDriver } from '../../lambdas/drivers/network/vpc.ts';
import { Ec2Side } from '../../lambdas/drivers/network/vpc-side.ts';
import type { VpcSubnet } from '../../lambdas/drivers/network/vpc-subnets.ts';
import { SqliteTable } from '../../lambdas/drivers/table/sqlite.ts';
import type { Table } from '../../lambdas/drivers/table/table.ts';
import { newId } from '../../lambdas/runtime/ids.ts';
import { FakeEc2 } from './fake-ec2/fake-ec2.ts';
import { FakeS3, s3Credentials } from './fake-s3.ts';
import { TurnableClock } from './services.ts';

const vpc = 'vpc-0a';
const subnet = (id: string, zone: string, third: number, more: Partial<VpcSubnet> = {}): VpcSubnet => ({
  id,
  vpc,
  zone,
  cidr: `10.0.${third}.0/24`,
  vips: `10.0.${third}.16/28`,
  amphorae: true,
  ...more,
});

/** Two zones with amphorae and VIPs, and in the first zone a subnet of VIPs beside, whose VIPs are public. */
export const vpcSubnets: VpcSubnet[] = [
  subnet('subnet-a', 'az1', 1, { cidr_v6: '2001:db8:1::/64', vips_v6: '2001:db8:1::100/120' }),
  subnet('subnet-b', 'az2', 2),
  subnet('subnet-p', 'az1', 3, { amphorae: false, public: true }),
];

const settings: BootSettings = {
  client_name: 'octavia-control-plane',
  heartbeat_interval_ms: 10_000,
  heartbeat_queue_url: 'https://sqs.eu-central-1.amazonaws.com/123456789012/heartbeats',
  sqs_endpoint: null,
  region: 'eu-central-1',
  hard_stop_after_ms: 1_800_000,
  max_connections: null,
};
export const deployment = 'octavia';

export class Ec2World implements AsyncDisposable {
  readonly ec2: FakeEc2;
  readonly s3: FakeS3;
  readonly clock: TurnableClock;
  readonly table: Table;
  readonly subnets: VpcSubnet[];
  /** Of every amphora. */
  readonly securityGroup: string;

  private constructor(parts: Pick<Ec2World, 'ec2' | 's3' | 'clock' | 'table' | 'subnets'>) {
    this.ec2 = parts.ec2;
    this.s3 = parts.s3;
    this.clock = parts.clock;
    this.table = parts.table;
    this.subnets = parts.subnets;
    this.securityGroup = this.group('amphorae');
    this.image('ami-1', 'amphora', '2025-01-01T00:00:00.000Z');
  }

  static async start(subnets = vpcSubnets, parts: { clock?: TurnableClock; table?: Table } = {}): Promise<Ec2World> {
    const clock = parts.clock ?? new TurnableClock();
    const fakes = subnets.map(({ vips, ...one }) => ({ ...one, ...(vips !== undefined && { reserved: vips }) }));
    const [ec2, s3] = await Promise.all([FakeEc2.start(fakes), FakeS3.start(clock)]);
    return new Ec2World({ ec2, s3, clock, table: parts.table ?? new SqliteTable({ path: ':memory:' }), subnets });
  }

  group(name: string): string {
    const id = `sg-${name}`;
    this.ec2.account.groups.set(id, { id, name, vpc, rules: [], tags: [], since: -1_000 });
    return id;
  }

  image(id: string, tag: string, created: string): void {
    const tags = [{ key: 'octavia:image-tag', value: tag }];
    this.ec2.account.images.set(id, { id, name: `amphora-${id}`, owner: 'self', created, tags, since: -1_000 });
  }

  compute(options: Partial<Ec2ComputeOptions> = {}): Ec2ComputeDriver {
    const { clock, table } = this;
    const bucket = { bucket: 'boots', region: 'eu-central-1', endpoint: this.s3.endpoint };
    const credentials = async () => s3Credentials;
    return new Ec2ComputeDriver({
      client: () => this.ec2.client(),
      table,
      clock,
      bundles: new S3BootBundles({ ...bucket, credentials, clock, rightMs: 900_000 }),
      deployment,
      launchTemplate: 'lt-0',
      instanceTypes: ['t4g.small', 't4g.medium'],
      spreadGroups: 3,
      securityGroups: [this.securityGroup],
      subnets: this.subnets,
      image: 'tag:amphora',
      settings,
      ...options,
    });
  }

  network(securityGroups: string[] = []): VpcNetworkDriver {
    const { clock, table, subnets } = this;
    const side = new Ec2Side({ client: () => this.ec2.client(), deployment, securityGroups });
    return new VpcNetworkDriver({ clock, table, newId, subnets, securityGroups, side });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.ec2[Symbol.asyncDispose](), this.s3[Symbol.asyncDispose]()]);
  }
}
