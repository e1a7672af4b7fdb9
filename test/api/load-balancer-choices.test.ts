import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { AmphoraBoot } from '../../lambdas/drivers/compute/compute-driver.ts';
import { NoopComputeDriver } from '../../lambdas/drivers/compute/noop.ts';
import { readAllAmphorae } from '../../lambdas/repositories/amphorae.ts';
import { newLoadBalancerItem } from '../../lambdas/repositories/load-balancers.ts';
import { readLoadBalancer } from '../../lambdas/repositories/trees.ts';
import { computeHandler } from '../../lambdas/tasks/compute.ts';
import { lifecycleHandler } from '../../lambdas/tasks/lifecycle.ts';
import { aLoadBalancer, idOf } from '../support/builders.ts';
import { FlowWorld } from '../support/flow-world.ts';
import { nilId, PersonaApi, refusal, unknownId } from '../support/persona-api.ts';
import { type TestServices, testServices } from '../support/services.ts';

const defaultSubnet = async (services: TestServices) => (await services.network.listSubnets())[0]!;

let services: TestServices;
let api: PersonaApi;
beforeEach(() => {
  services = testServices();
  api = new PersonaApi(services);
});

describe('a load balancer', () => {
  it('without a wish has neither flavor nor zone, and the default provider', async () => {
    const { body } = await api.createLoadBalancer();
    const wishes = { flavor_id: null, availability_zone: null, provider: 'amphora', vip_vnic_type: 'normal' };
    expect(body.loadbalancer).toMatchObject(wishes);
  });

  it('is created with a flavor and in a zone, shows both and is found by them', async () => {
    const { id: flavor_id } = await api.flavor('gold');
    await api.zone('east');
    const { status, body } = await api.createLoadBalancer({ flavor_id, availability_zone: 'east' });
    expect(status).toBe(201);
    const { id } = body.loadbalancer;
    const wishes = { flavor_id, availability_zone: 'east' };
    expect(body.loadbalancer).toMatchObject(wishes);
    await api.createLoadBalancer();
    expect((await api.get(`lbaas/loadbalancers/${id}`, 'member')).body.loadbalancer).toMatchObject(wishes);
    const found = async (query: string) =>
      (await api.get(`lbaas/loadbalancers?${query}`, 'member')).body.loadbalancers.map((one: { id: string }) => one.id);
    expect(await found(`flavor_id=${flavor_id}`)).toEqual([id]);
    expect(await found('availability_zone=east')).toEqual([id]);
    expect(await found('availability_zone=west')).toEqual([]);
  });

  it('takes neither an unknown flavor nor an unknown zone', async () => {
    const noFlavor = { status: 400, text: 'Validation failure: Invalid flavor_id.' };
    expect(refusal(await api.createLoadBalancer({ flavor_id: unknownId }))).toEqual(noFlavor);
    expect(refusal(await api.createLoadBalancer({ flavor_id: nilId }))).toEqual(noFlavor);
    const noZone = { status: 400, text: 'Validation failure: Invalid availability zone.' };
    expect(refusal(await api.createLoadBalancer({ availability_zone: 'nowhere' }))).toEqual(noZone);
    expect(refusal(await api.createLoadBalancer({ availability_zone: '' }))).toEqual(noZone);
  });

  it('takes neither a disabled flavor nor a disabled zone', async () => {
    const { id: flavor_id } = await api.flavor('gold', {}, { enabled: false });
    await api.zone('east', {}, { enabled: false });
    const refused = (text: string) => ({ status: 400, text: `The selected ${text}` });
    expect(refusal(await api.createLoadBalancer({ flavor_id }))).toEqual(
      refused(`flavor is not allowed in this deployment: ${flavor_id}`),
    );
    expect(refusal(await api.createLoadBalancer({ availability_zone: 'east' }))).toEqual(
      refused('availability_zone is not allowed in this deployment: east'),
    );
  });

  it("has its flavor's provider, and names no other", async () => {
    const { id: flavor_profile_id } = await api.flavorProfile({}, { provider_name: 'octavia' });
    const { id: flavor_id } = await api.flavor('gold', {}, { flavor_profile_id });
    const text = `Flavor '${flavor_id}' is not compatible with provider 'amphora'`;
    expect(refusal(await api.createLoadBalancer({ flavor_id, provider: 'amphora' }))).toEqual({ status: 400, text });
    expect((await api.createLoadBalancer({ flavor_id })).body.loadbalancer.provider).toBe('octavia');
    expect((await api.createLoadBalancer({ flavor_id, provider: 'octavia' })).status).toBe(201);
  });

  it('is made by enabled providers only, whether named or of the flavor', async () => {
    const { id: flavor_profile_id } = await api.flavorProfile({}, { provider_name: 'noop' });
    const { id: flavor_id } = await api.flavor('nothing', {}, { flavor_profile_id });
    const refused = { status: 400, text: "Provider 'noop' is not enabled." };
    expect(refusal(await api.createLoadBalancer({ provider: 'noop' }))).toEqual(refused);
    expect(refusal(await api.createLoadBalancer({ flavor_id }))).toEqual(refused);
  });

  it('is in no zone that its provider does not understand', async () => {
    const profile = await api.zoneProfile({ galaxy: 'far away' }, { provider_name: 'noop' });
    await api.zone('far', {}, { availability_zone_profile_id: profile['id'] });
    const text =
      "Provider 'amphora' does not support a requested option: Additional properties are not allowed ('galaxy' was unexpected)";
    expect(refusal(await api.createLoadBalancer({ availability_zone: 'far' }))).toEqual({ status: 501, text });
  });

  it('has its VIP in one of the networks of its zone, and gives back the address of one that is not', async () => {
    const { network_id } = await defaultSubnet(services);
    await api.zone('here', { valid_vip_networks: [unknownId, network_id.toUpperCase()] });
    await api.zone('anywhere', { valid_vip_networks: [] });
    await api.zone('elsewhere', { valid_vip_networks: [unknownId] });
    expect((await api.createLoadBalancer({ availability_zone: 'here' })).status).toBe(201);
    expect((await api.createLoadBalancer({ availability_zone: 'anywhere' })).status).toBe(201);
    const text = 'Validation failure: Supplied VIP network_id is not allowed by the configuration of this deployment.';
    const refused = await api.createLoadBalancer({ availability_zone: 'elsewhere' });
    expect(refusal(refused)).toEqual({ status: 400, text });
    expect(await services.network.listVips()).toHaveLength(2);
  });

  it('with an SR-IOV flavor has a direct VIP', async () => {
    const { id: flavor_id } = await api.flavor('direct', { sriov_vip: true });
    expect((await api.createLoadBalancer({ flavor_id })).body.loadbalancer.vip_vnic_type).toBe('direct');
  });

  it('keeps flavor and zone for good', async () => {
    const { id } = (await api.createLoadBalancer()).body.loadbalancer;
    for (const name of ['flavor_id', 'availability_zone']) {
      const answer = await api.put(`lbaas/loadbalancers/${id}`, { loadbalancer: { [name]: unknownId } }, 'member');
      const text = `Unknown attribute for argument load_balancer.loadbalancer: ${name}`;
      expect(refusal(answer)).toEqual({ status: 400, text });
    }
  });

  it('has the topology its flavor says, else that of the deployment', async () => {
    const { id: flavor_id } = await api.flavor('pair', { loadbalancer_topology: 'ACTIVE_STANDBY' });
    const topologyOf = async (attributes: object) => {
      const { id } = (await api.createLoadBalancer(attributes)).body.loadbalancer;
      return (await readLoadBalancer(services.table, id))!.topology;
    };
    expect(await topologyOf({ flavor_id })).toBe('ACTIVE_STANDBY');
    expect(await topologyOf({})).toBe('SINGLE');
    const { id: plain } = await api.flavor('plain');
    services.config = { ...services.config, topology: 'ACTIVE_STANDBY' };
    expect(await topologyOf({ flavor_id: plain })).toBe('ACTIVE_STANDBY');
  });
});

describe('the machine of an amphora', () => {
  class NotingCompute extends NoopComputeDriver {
    readonly boots: AmphoraBoot[] = [];
    override build(boot: AmphoraBoot) {
      this.boots.push(boot);
      return super.build(boot);
    }
  }
  const wished = {
    flavor_data: { compute_flavor: 'c7g.large', amp_image_tag: 'blue' },
    availability_zone_data: { compute_zone: 'east-1' },
  };

  const build = async (given: Parameters<typeof aLoadBalancer>[0], load_balancer_id: string | null) => {
    const compute = new NotingCompute();
    const own = testServices({ compute });
    await own.table.transact([{ kind: 'put', item: newLoadBalancerItem(aLoadBalancer(given)) }]);
    await computeHandler(own)({ task: 'ComputeCreate', amphora_id: idOf('other', 7), load_balancer_id });
    return compute.boots[0];
  };

  it('is what flavor and zone of its load balancer ask for', async () => {
    const asked = { availability_zone: 'east-1', compute_flavor: 'c7g.large', image_tag: 'blue' };
    expect(await build(wished, idOf('lb'))).toMatchObject(asked);
  });

  it('is the usual one without them, and for a spare', async () => {
    const usual = { availability_zone: null, compute_flavor: null, image_tag: null };
    expect(await build({}, idOf('lb'))).toMatchObject(usual);
    expect(await build(wished, null)).toMatchObject(usual);
  });

  const claims = async (given: Parameters<typeof aLoadBalancer>[0]): Promise<boolean> => {
    const own = testServices();
    const spare = idOf('other', 8);
    await computeHandler(own)({ task: 'ComputeCreate', amphora_id: spare, load_balancer_id: null });
    await lifecycleHandler(own)({ task: 'FinalizeAmphora', amphora_id: spare, load_balancer_id: null, role: null });
    const lease = { flow: 'create-load-balancer', execution: 'run', until: own.clock.now() + 60_000 };
    await own.table.transact([{ kind: 'put', item: newLoadBalancerItem(aLoadBalancer({ ...given, lease })) }]);
    const input = { load_balancer_id: idOf('lb'), operation_id: 'op', execution: 'run', role: 'STANDALONE' };
    await lifecycleHandler(own)({ task: 'PlanAmphorae', ...input });
    const claimed = (await lifecycleHandler(own)({ task: 'ClaimSpare', ...input })) as { amphora_id: string };
    return claimed.amphora_id === spare;
  };

  it('is a spare only when flavor and zone ask for nothing a spare is not', async () => {
    expect(await claims({})).toBe(true);
    expect(await claims({ flavor_data: { loadbalancer_topology: 'SINGLE' } })).toBe(true);
    expect(await claims({ flavor_data: { compute_flavor: 'c7g.large' } })).toBe(false);
    expect(await claims({ flavor_data: { amp_image_tag: 'blue' } })).toBe(false);
    expect(await claims({ availability_zone_data: { compute_zone: 'east-1' } })).toBe(false);
  });
});

describe('from its creation to its end, a load balancer', () => {
  let world: FlowWorld;
  beforeEach(() => {
    world = new FlowWorld();
  });
  afterEach(() => world.close());

  it('with a flavor of two amphorae in a zone gets both there, and its choices are free when it is gone', async () => {
    const admin = new PersonaApi(world.services);
    const flavor = await admin.flavor('pair', { loadbalancer_topology: 'ACTIVE_STANDBY', compute_flavor: 'large' });
    await admin.zone('east', { compute_zone: 'east-1' });
    const wish = { flavor_id: flavor['id'], availability_zone: 'east' };
    const { id } = (await admin.createLoadBalancer(wish)).body.loadbalancer;
    await world.settle();
    expect((await world.loadBalancer(id)).provisioning_status).toBe('ACTIVE');
    const amphorae = await readAllAmphorae(world.services.table);
    const there = { cached_zone: 'east-1', compute_flavor: 'large', status: 'ALLOCATED', load_balancer_id: id };
    expect(amphorae.map(({ role }) => role).sort()).toEqual(['BACKUP', 'MASTER']);
    for (const amphora of amphorae) expect(amphora).toMatchObject(there);

    expect((await admin.delete(`lbaas/flavors/${flavor['id']}`)).status).toBe(409);
    expect((await admin.delete('lbaas/availabilityzones/east')).status).toBe(409);
    await admin.delete(`lbaas/loadbalancers/${id}`, 'member');
    await world.settle();
    expect((await admin.delete(`lbaas/flavors/${flavor['id']}`)).status).toBe(204);
    expect((await admin.delete('lbaas/availabilityzones/east')).status).toBe(204);
  });

  it('that is created with very many members holds its choices too', async () => {
    const admin = new PersonaApi(world.services);
    const { id: flavor_id } = await admin.flavor('gold');
    const members = Array.from({ length: 60 }, (_, n) => ({ address: `192.0.2.${n + 1}`, protocol_port: 80 }));
    const pools = [{ name: 'many', protocol: 'HTTP', lb_algorithm: 'ROUND_ROBIN', members }];
    const { id } = (await admin.createLoadBalancer({ flavor_id, pools })).body.loadbalancer;
    await world.settle();
    expect((await world.loadBalancer(id)).provisioning_status).toBe('ACTIVE');
    expect((await admin.delete(`lbaas/flavors/${flavor_id}`)).status).toBe(409);
  });
});
