// Amphorae as EC2 instances: Nova's place in Octavia. One machine for an amphora, whatever is asked twice, times out or has to be tried in
// another zone; and nothing is taken for gone because EC2 does not know it yet.
import {
  CreatePlacementGroupCommand,
  DescribeInstancesCommand,
  EC2Client,
  type Filter,
  type Instance,
  paginateDescribeInstances,
  RunInstancesCommand,
  TerminateInstancesCommand,
} from '@aws-sdk/client-ec2';
import { type BootSettings, userDataOf } from '../../../amphora/boot-document.ts';
import { stockInstall } from '../../../amphora/image/stock-install.ts';
import { DriverError } from '../../domain/errors.ts';
import { isAlreadyThere, isNotFound } from '../aws-errors.ts';
import { asking, isGroupFull, isNoCapacity, isTokenUsed } from '../ec2-errors.ts';
import type { Table } from '../table/table.ts';
import type { BootBundles } from './boot-bundles.ts';
import type { AmphoraBoot, Compute, ComputeDriver, ImageWish } from './compute-driver.ts';
import { type Candidate, type CandidateOptions, candidatesFor } from './ec2-candidates.ts';
import { Ec2Images } from './ec2-images.ts';
import { type Launch, Launches, tokenOf } from './ec2-launches.ts';
import { type Machine, runRequest, tagKeys } from './ec2-requests.ts';

export { EC2Client };

export interface Ec2ComputeOptions extends CandidateOptions {
  /** Called when EC2 is first asked. */
  client: () => EC2Client;
  table: Table;
  clock: { now(): number };
  bundles: BootBundles;
  /** Profile, disk and whatever else all amphorae have alike. */
  launchTemplate: string;
  securityGroups: readonly string[];
  /** See Ec2Images. */
  image: string;
  settings: BootSettings;
  /** SHA-256 of the kit that makes an amphora of a stock image, lowercase hex; empty where the image is one. */
  kit?: string;
}

/** EC2 shows a new machine to everybody within seconds; its documentation names no limit. */
const unseenMs = 300_000;

const states: Record<string, Compute['state']> = { pending: 'BOOTING', running: 'RUNNING' };
/** Some of them end by themselves, none serves. */
const standing = ['pending', 'running', 'stopping', 'stopped'];

export class Ec2ComputeDriver implements ComputeDriver {
  readonly #options: Ec2ComputeOptions;
  readonly #images: Ec2Images;
  readonly #launches: Launches;
  #made: EC2Client | undefined;

  constructor(options: Ec2ComputeOptions) {
    this.#options = options;
    this.#images = new Ec2Images(() => this.#client, options.clock, options.image);
    this.#launches = new Launches(options.table, options.clock);
  }

  get #client(): EC2Client {
    this.#made ??= this.#options.client();
    return this.#made;
  }

  async currentImage({ image_tag }: ImageWish): Promise<string> {
    return this.#images.current(image_tag);
  }

  async build(boot: AmphoraBoot): Promise<Compute> {
    const found = (await this.#machineOf(boot.amphora_id)) ?? (await this.#launch(boot));
    await this.#launches.done(boot.amphora_id, found.InstanceId!);
    return described(found);
  }

  async get(computeId: string): Promise<Compute> {
    const found = await this.#find(computeId);
    if (found) return described(found);
    const { amphora_id, isUnseen } = await this.#launched(computeId);
    const nothing = { lb_network_ip: null, zone: null, image_id: null };
    return { compute_id: computeId, amphora_id, state: isUnseen ? 'BOOTING' : 'GONE', ...nothing };
  }

  async delete(computeId: string): Promise<void> {
    const found = await this.#find(computeId);
    const { amphora_id, isUnseen } = await this.#launched(computeId);
    if (found ? isStanding(found) : isUnseen) await this.#terminate(computeId);
    const amphoraId = (found && tagOf(found, tagKeys.amphora)) ?? amphora_id;
    if (amphoraId === '') return;
    await this.#options.bundles.remove(amphoraId);
    await this.#launches.forget(amphoraId, computeId);
  }

  /** An instance is one amphora. */
  async hasHosts(): Promise<boolean> {
    return false;
  }

  async deleteHost(): Promise<void> {}

  async list(): Promise<Compute[]> {
    const Filters = [...this.#ours(), { Name: 'instance-state-name', Values: standing }];
    const instances = await asking('list of machines', async () => {
      const pages = paginateDescribeInstances({ client: this.#client }, { Filters, MaxResults: 1_000 });
      return (await Array.fromAsync(pages)).flatMap(({ Reservations = [] }) => Reservations.flatMap(instancesOf));
    });
    return instances.map(described);
  }

  #ours(): Filter[] {
    return [
      { Name: `tag:${tagKeys.deployment}`, Values: [this.#options.deployment] },
      { Name: 'tag-key', Values: [tagKeys.amphora] },
    ];
  }

  /** One that stands, rather than one of an earlier attempt that has ended. */
  async #machineOf(amphoraId: string): Promise<Instance | undefined> {
    const Filters = [...this.#ours(), { Name: `tag:${tagKeys.amphora}`, Values: [amphoraId] }];
    const found = await this.#describe(`machine of amphora ${amphoraId}`, { Filters });
    return found.find(isStanding) ?? found[0];
  }

  async #find(computeId: string): Promise<Instance | undefined> {
    try {
      return (await this.#describe(`machine ${computeId}`, { InstanceIds: [computeId] }))[0];
    } catch (error) {
      if (isNotFound((error as Error).cause)) return undefined;
      throw error;
    }
  }

  async #launched(computeId: string): Promise<{ amphora_id: string; isUnseen: boolean }> {
    const launched = await this.#launches.of(computeId);
    if (launched === undefined) return { amphora_id: '', isUnseen: false };
    const { amphora_id, launched_at } = launched;
    return { amphora_id, isUnseen: this.#options.clock.now() - launched_at < unseenMs };
  }

  async #describe(what: string, question: { Filters?: Filter[]; InstanceIds?: string[] }): Promise<Instance[]> {
    const { Reservations = [] } = await asking(what, () => this.#client.send(new DescribeInstancesCommand(question)));
    return Reservations.flatMap(instancesOf);
  }

  async #launch(boot: AmphoraBoot): Promise<Instance> {
    const candidates = candidatesFor(boot, this.#options);
    const machine = await this.#machine(boot);
    let launch = await this.#launches.begin(boot.amphora_id);
    const refusals: string[] = [];
    for (const _ of candidates) {
      const candidate = candidates[launch.attempt % candidates.length]!;
      const outcome = await this.#run(machine, candidate, launch);
      if (!(outcome instanceof DriverError)) return outcome;
      refusals.push(`${candidate.instanceType} in ${candidate.subnet.zone}: ${(outcome.cause as Error).name}`);
      launch = await this.#launches.next(launch);
    }
    // No machine came of it, and whoever gives the amphora up knows of none to delete.
    await this.#options.bundles.remove(boot.amphora_id);
    throw new DriverError(`EC2 has no room for amphora ${boot.amphora_id}: ${refusals.join(', ')}`, {
      userText: 'The cloud has no room for another machine at the moment.',
    });
  }

  async #machine(boot: AmphoraBoot): Promise<Machine> {
    const { amphora_id, server_certificate, server_private_key, ca_certificate, heartbeat_key } = boot;
    const identity = { server_certificate, server_private_key, ca_certificate, heartbeat_key };
    const bundle = await this.#options.bundles.put({ version: 1, amphora_id, ...identity });
    const document = { version: 1, amphora_id, bundle, settings: this.#options.settings } as const;
    const { deployment, launchTemplate, securityGroups, bundles, kit = '' } = this.#options;
    const install = kit === '' ? '' : stockInstall({ url: await bundles.kitUrl(kit), sha256: kit });
    const image = await this.currentImage(boot);
    return { boot, image, deployment, launchTemplate, securityGroups, userData: userDataOf(document, install) };
  }

  /** @returns why not, when there certainly is no such machine and another candidate may do */
  async #run(machine: Machine, candidate: Candidate, launch: Launch): Promise<Instance | DriverError> {
    if (candidate.group) await this.#ensureGroup(candidate.group);
    try {
      const command = new RunInstancesCommand(runRequest(machine, candidate, tokenOf(launch)));
      const { Instances = [] } = await asking(`start of amphora ${launch.amphora_id}`, () =>
        this.#client.send(command),
      );
      return Instances[0]!;
    } catch (error) {
      const { cause } = error as DriverError;
      if (isTokenUsed(cause)) return this.#startedBefore(launch, error as DriverError);
      if (isNoCapacity(cause) || (candidate.group && isGroupFull(cause))) return error as DriverError;
      throw error;
    }
  }

  /** By an attempt whose answer was lost, with user data of its own; it may not be seen yet. */
  async #startedBefore(launch: Launch, error: DriverError): Promise<Instance> {
    const Filters = [{ Name: 'client-token', Values: [tokenOf(launch)] }];
    const [found] = await this.#describe(`machine of amphora ${launch.amphora_id}`, { Filters });
    if (found) return found;
    throw new DriverError(`EC2 does not show the machine of amphora ${launch.amphora_id} yet`, {
      cause: error,
      isTransient: true,
    });
  }

  async #ensureGroup(GroupName: string): Promise<void> {
    const Tags = [{ Key: tagKeys.deployment, Value: this.#options.deployment }];
    const TagSpecifications = [{ ResourceType: 'placement-group' as const, Tags }];
    const command = new CreatePlacementGroupCommand({ GroupName, Strategy: 'spread', TagSpecifications });
    try {
      await asking(`placement group ${GroupName}`, () => this.#client.send(command));
    } catch (error) {
      if (!isAlreadyThere((error as Error).cause)) throw error;
    }
  }

  async #terminate(computeId: string): Promise<void> {
    const command = new TerminateInstancesCommand({ InstanceIds: [computeId] });
    // One that is not seen yet is not ended yet either: the error goes out, and it is tried again.
    await asking(`end of machine ${computeId}`, () => this.#client.send(command));
  }
}

const isStanding = ({ State }: Instance): boolean => standing.includes(State?.Name ?? '');
const instancesOf = ({ Instances = [] }: { Instances?: Instance[] }): Instance[] => Instances;
const tagOf = ({ Tags = [] }: Instance, key: string) => Tags.find((tag) => tag.Key === key)?.Value;

function described(instance: Instance): Compute {
  const state = states[instance.State?.Name ?? ''] ?? 'GONE';
  return {
    compute_id: instance.InstanceId!,
    amphora_id: tagOf(instance, tagKeys.amphora) ?? '',
    state,
    lb_network_ip: state === 'RUNNING' ? (instance.PrivateIpAddress ?? null) : null,
    zone: instance.Placement?.AvailabilityZone ?? null,
    image_id: instance.ImageId ?? null,
    server_group: tagOf(instance, tagKeys.serverGroup) ?? null,
  };
}
