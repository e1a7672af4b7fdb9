// Addresses of load balancers: which subnet the VIP is in, addresses beside it, security groups, QoS, and who may connect.
import { beforeEach, describe, expect, it } from 'vitest';
import {
  type Attributes,
  DirectApi,
  failure,
  fault,
  nowhere,
  qosPolicy,
  type Shown,
  securityGroup,
} from '../support/direct-api.ts';

let api: DirectApi;
beforeEach(async () => {
  api = await DirectApi.start();
});

const post = (loadbalancer: Attributes) => api.post('loadbalancers', { loadbalancer });
const four = (given: Attributes = {}) => ({ vip_subnet_id: api.subnet('four'), ...given });
const networkOf = async (name: 'four' | 'stranger') => (await api.network.getSubnet(api.subnet(name))).network_id;
const nothingHeld = async () => expect(await api.network.listVips()).toEqual([]);

describe('a VIP', () => {
  it('is where the port is, then the network, then the subnet', async () => {
    const port = await api.network.addresses.createPort(api.subnet('more'), '198.18.1.77');
    const byPort = await api.done(post({ vip_port_id: port.id }));
    expect(byPort).toMatchObject({
      vip_address: '198.18.1.77',
      vip_port_id: port.id,
      vip_subnet_id: api.subnet('more'),
    });
    const vip_network_id = await networkOf('four');
    const byNetwork = await api.done(post({ vip_network_id }));
    expect(byNetwork).toMatchObject({ vip_subnet_id: api.subnet('four'), vip_network_id });
    const byAddress = await api.done(post({ vip_network_id, vip_address: '2001:db8::5' }));
    expect(byAddress).toMatchObject({ vip_subnet_id: api.subnet('six'), vip_address: '2001:db8::5' });
    const bySubnet = await api.done(post({ vip_network_id, vip_subnet_id: api.subnet('more') }));
    expect(bySubnet).toMatchObject({ vip_subnet_id: api.subnet('more'), vip_network_id });
    expect(bySubnet).toMatchObject({ vip_vnic_type: 'normal', vip_sg_ids: [], vip_qos_policy_id: null });
  });

  it('has to come from somewhere that is there', async () => {
    const none = failure('VIP must contain one of: vip_port_id, vip_network_id, vip_subnet_id.');
    expect(await post({})).toMatchObject(none);
    expect(await post({ vip_address: '198.18.0.9' })).toMatchObject(none);
    for (const [name, noun] of Object.entries({ port: 'Port', network: 'Network', subnet: 'Subnet' }))
      expect(await post({ [`vip_${name}_id`]: nowhere })).toMatchObject(fault(400, `${noun} ${nowhere} not found.`));
    const foreign = { vip_network_id: await networkOf('stranger'), vip_subnet_id: api.subnet('four') };
    expect(await post(foreign)).toMatchObject(fault(400, `Subnet ${api.subnet('four')} not found.`));
    const outside = { vip_network_id: await networkOf('four'), vip_address: '203.0.113.1' };
    const noSubnet = failure('Supplied network does not contain a subnet for VIP address specified.');
    expect(await post(outside)).toMatchObject(noSubnet);
    await nothingHeld();
  });
});

describe('additional VIPs', () => {
  const vips = (...given: unknown[]) => four({ additional_vips: given });

  it('get addresses and ports of their own, in the order they were asked for', async () => {
    const port = await api.network.addresses.createPort(api.subnet('more'), '198.18.1.9');
    const asked = [
      { subnet_id: api.subnet('six'), ip_address: '2001:db8::7' },
      { subnet_id: api.subnet('more'), port_id: port.id },
    ];
    const lb = await api.done(post(vips(...asked)));
    expect(lb['additional_vips']).toEqual([
      { ...asked[0], port_id: expect.stringMatching(/^[0-9a-f-]{36}$/) },
      { ...asked[1], ip_address: '198.18.1.9' },
    ]);
    expect((await api.done(api.get(`loadbalancers/${lb['id']}`)))['additional_vips']).toEqual(lb['additional_vips']);
    const chosen = await api.done(post(vips({ subnet_id: api.subnet('six') })));
    expect(chosen['additional_vips'][0].ip_address).toBe('2001:db8::1');
  });

  it('cannot be changed', async () => {
    const { id } = await api.done(post(four()));
    const answer = await api.put(`loadbalancers/${id}`, { loadbalancer: { additional_vips: [] } });
    expect(answer.status).toBe(400);
  });

  it('are of one network, one a subnet; what was taken is given back', async () => {
    const duplicate = failure('Duplicate VIP subnet(s) specified. Only one IP can be bound per subnet.');
    const more = { subnet_id: api.subnet('more') };
    expect(await post(vips({ subnet_id: api.subnet('four') }))).toMatchObject(duplicate);
    expect(await post(vips(more, more))).toMatchObject(duplicate);
    const other = failure('All VIP subnets must belong to the same network.');
    expect(await post(vips({ subnet_id: api.subnet('stranger') }))).toMatchObject(other);
    expect(await post(vips({ subnet_id: nowhere }))).toMatchObject(failure(`Subnet ${nowhere} not found`));
    const outside = { ...more, ip_address: '198.18.0.200' };
    expect(await post(vips(outside))).toMatchObject({ status: 400 });
    expect(await post(vips({ ...more, port_id: nowhere }))).toMatchObject(fault(400, `Port ${nowhere} not found.`));
    await nothingHeld();
  });

  it('are judged one by one as they stand', async () => {
    const refused = (name: string, value: string, reason: string) =>
      fault(400, `Invalid input for field/attribute ${name}. Value: '${value}'. ${reason}`);
    expect(await post(vips({}))).toMatchObject(refused('subnet_id', 'None', 'Mandatory field missing.'));
    const subnet_id = api.subnet('six');
    expect(await post(vips({ subnet_id, ip_address: 'x' }))).toMatchObject(
      refused('ip_address', 'x', 'Value should be IPv4 or IPv6 format'),
    );
    expect(await post(vips({ subnet_id, port_id: 'x' }))).toMatchObject(
      refused('port_id', 'x', 'Value should be UUID format'),
    );
    const unknown = 'Unknown attribute for argument load_balancer.loadbalancer.additional_vips: colour';
    expect(await post(vips({ subnet_id, colour: 1 }))).toMatchObject(fault(400, unknown));
  });

  it('go when the load balancer cannot be created after all', async () => {
    const taken = await api.done(post(vips({ subnet_id: api.subnet('six'), ip_address: '2001:db8::7' })));
    const again = await post(
      vips({ subnet_id: api.subnet('more') }, { subnet_id: api.subnet('six'), ip_address: '2001:db8::7' }),
    );
    expect(again.status).toBe(409);
    expect(again.body.faultstring).toMatch(/^The VIP IP address is already in use: /);
    expect((await api.network.listVips()).map((one) => one.load_balancer_id)).toEqual([taken['id']]);
    const free = await api.done(post(vips({ subnet_id: api.subnet('more'), ip_address: '198.18.1.1' })));
    expect(free['additional_vips']).toHaveLength(1);
  });
});

describe('security groups and QoS', () => {
  it('are there, on create and on update', async () => {
    const given = { vip_sg_ids: [securityGroup], vip_qos_policy_id: qosPolicy };
    const lb = await api.done(post(four(given)));
    expect(lb).toMatchObject(given);
    const put = (loadbalancer: Attributes) => api.put(`loadbalancers/${lb['id']}`, { loadbalancer });
    const noGroup = fault(400, `Security Group ${nowhere} not found.`);
    const noPolicy = fault(400, `qos_policy ${nowhere} not found.`);
    expect(await post(four({ vip_sg_ids: [nowhere] }))).toMatchObject(noGroup);
    expect(await put({ vip_sg_ids: [securityGroup, nowhere] })).toMatchObject(noGroup);
    expect(await post(four({ vip_qos_policy_id: nowhere }))).toMatchObject(noPolicy);
    expect(await put({ vip_qos_policy_id: nowhere })).toMatchObject(noPolicy);
    const none = { vip_sg_ids: [], vip_qos_policy_id: null };
    expect(await api.done(put({ vip_sg_ids: null, vip_qos_policy_id: null }))).toMatchObject(none);
  });

  it('do not go with an SR-IOV port', async () => {
    const flavor_id = await api.flavor({ sriov_vip: true });
    const refused = failure('VIP Security Groups are not allowed with VNIC direct type');
    expect(await post(four({ flavor_id, vip_sg_ids: [securityGroup] }))).toMatchObject(refused);
    const lb = await api.done(post(four({ flavor_id })));
    expect(lb['vip_vnic_type']).toBe('direct');
    const groups = { loadbalancer: { vip_sg_ids: [securityGroup] } };
    expect(await api.put(`loadbalancers/${lb['id']}`, groups)).toMatchObject(refused);
  });
});

describe('allowed_cidrs', () => {
  const listenOn = (lb: Shown, allowed_cidrs: unknown, protocol_port = 80) =>
    api.post('listeners', { listener: { loadbalancer_id: lb['id'], protocol: 'TCP', protocol_port, allowed_cidrs } });

  it('are networks, each once, of a family that a VIP has', async () => {
    const lb = await api.done(post(four()));
    const given = ['10.0.0.1/24', '10.0.0.200/24', '192.0.2.1', '0.0.0.0/0'];
    const listener = await api.done(listenOn(lb, given));
    const cidrs = ['10.0.0.0/24', '192.0.2.1/32', '0.0.0.0/0'];
    expect(listener['allowed_cidrs']).toEqual(cidrs);
    const put = (allowed_cidrs: unknown) => api.put(`listeners/${listener['id']}`, { listener: { allowed_cidrs } });
    const stranger = failure("CIDR 2001:db8::/32 IP version incompatible with all VIPs ['198.18.0.1'] IP version.");
    expect(await put(['2001:DB8:0::1/32'])).toMatchObject(stranger);
    expect(await listenOn(lb, ['10.0.0.0/8', '2001:db8::/32'], 81)).toMatchObject(stranger);
    expect((await api.done(put(['192.0.2.7/24', '192.0.2.8/24'])))['allowed_cidrs']).toEqual(['192.0.2.0/24']);
    for (const none of [[], null]) expect((await api.done(put(none)))['allowed_cidrs']).toBeNull();
  });

  it('may be of the family of an additional VIP', async () => {
    const lb = await api.done(post(four({ additional_vips: [{ subnet_id: api.subnet('six') }] })));
    expect((await listenOn(lb, ['2001:db8::/32', '10.0.0.0/8'])).status).toBe(201);
  });

  it('and security groups of the user exclude each other', async () => {
    const refused = failure('Allowed CIDRs are not allowed when using custom VIP Security Groups.');
    const grouped = await api.done(post(four({ vip_sg_ids: [securityGroup] })));
    expect(await listenOn(grouped, ['10.0.0.0/8'])).toMatchObject(refused);
    const listener = await api.done(listenOn(grouped, []));
    const allowed = { listener: { allowed_cidrs: ['10.0.0.0/8'] } };
    expect(await api.put(`listeners/${listener['id']}`, allowed)).toMatchObject(refused);
    const lb = await api.done(post(four()));
    await api.done(listenOn(lb, ['10.0.0.0/8']));
    const groups = { loadbalancer: { vip_sg_ids: [securityGroup] } };
    expect(await api.put(`loadbalancers/${lb['id']}`, groups)).toMatchObject(refused);
  });
});
