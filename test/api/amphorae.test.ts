import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { AmphoraRow } from '../../lambdas/domain/amphora.ts';
import { putAmphora, readAmphora, setAmphora } from '../../lambdas/repositories/amphorae.ts';
import { recordSign } from '../../lambdas/repositories/health.ts';
import { changeLoadBalancer } from '../../lambdas/repositories/load-balancers.ts';
import type { Config } from '../../lambdas/runtime/config.ts';
import { idOf } from '../support/builders.ts';
import { FlowWorld } from '../support/flow-world.ts';
import { ownProject, PersonaApi, refusal, unknownId } from '../support/persona-api.ts';

let world: FlowWorld;
let api: PersonaApi;
const worlds: FlowWorld[] = [];
function begin(config: Partial<Config> = {}): void {
  world = new FlowWorld(config);
  worlds.push(world);
  api = new PersonaApi(world.services);
}
beforeEach(() => begin());
afterEach(async () => {
  for (const one of worlds.splice(0)) await one.close();
});

type Shown = Record<string, any>;

/** An ACTIVE load balancer with a listener, and its amphora. */
async function site(): Promise<{ id: string; listener: string; amphora: string }> {
  const listeners = [{ protocol: 'HTTP', protocol_port: 80 }];
  const { body } = await api.createLoadBalancer({ listeners });
  await world.settle();
  const { id, listeners: made } = body.loadbalancer;
  return { id, listener: made[0].id, amphora: (await world.loadBalancer(id)).amphora_ids[0]! };
}

const at = (id: string) => `octavia/amphorae/${id}`;

async function aSpare(given: Partial<AmphoraRow> = {}): Promise<string> {
  const id = idOf('other', 20);
  await putAmphora(world.services, {
    id,
    load_balancer_id: null,
    status: 'BOOTING',
    role: null,
    compute_id: null,
    lb_network_ip: null,
    vrrp_ip: null,
    vrrp_port_id: null,
    ha_ip: null,
    ha_port_id: null,
    cert_expiration: null,
    cached_zone: null,
    image_id: null,
    heartbeat_key: 'sealed',
    created_at: '2025-06-01T11:00:00.000000',
    updated_at: null,
    busy_until: 0,
    ...given,
  });
  return id;
}

describe('an amphora', () => {
  it('is shown with what Octavia shows, and nothing secret', async () => {
    const { id, amphora } = await site();
    const { status, body } = await api.get(at(amphora));
    expect(status).toBe(200);
    const row = (await readAmphora(world.services.table, amphora))!;
    const { vip_address, vip_port_id } = (await api.get(`lbaas/loadbalancers/${id}`)).body.loadbalancer;
    expect(body).toEqual({
      amphora: {
        id: amphora,
        loadbalancer_id: id,
        compute_id: row.compute_id,
        lb_network_ip: row.lb_network_ip,
        vrrp_ip: row.vrrp_ip,
        ha_ip: vip_address,
        vrrp_port_id: row.vrrp_port_id,
        ha_port_id: vip_port_id,
        cert_expiration: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}$/),
        cert_busy: false,
        role: 'STANDALONE',
        status: 'ALLOCATED',
        vrrp_interface: null,
        vrrp_id: null,
        vrrp_priority: null,
        cached_zone: null,
        created_at: row.created_at,
        updated_at: row.updated_at,
        image_id: null,
        compute_flavor: null,
      },
    });
    expect((await api.get(`${at(amphora)}?fields=id&fields=role`)).body.amphora).toEqual({
      id: amphora,
      role: 'STANDALONE',
    });
  });

  it.each([
    ['GET', ''],
    ['DELETE', ''],
    ['PUT', '/config'],
    ['PUT', '/certificate'],
    ['PUT', '/failover'],
  ])('that is not there is not found: %s %s', async (method, below) => {
    for (const id of [unknownId, 'x'.repeat(3000)]) {
      const answer = await api.ask('admin', method, at(id) + below);
      expect(refusal(answer)).toEqual({ status: 404, text: `Amphora ${id} not found.` });
    }
  });

  it.each([
    ['GET', ''],
    ['GET', '/stats'],
    ['DELETE', ''],
    ['PUT', '/config'],
    ['PUT', '/failover'],
  ])('is for administrators only: %s %s', async (method, below) => {
    const { amphora } = await site();
    const refused = { status: 403, text: 'Policy does not allow this request to be performed.' };
    expect(refusal(await api.ask('member', method, at(amphora) + below))).toEqual(refused);
    expect(refusal(await api.get('octavia/amphorae', 'member'))).toEqual(refused);
  });

  it('is nowhere but below /octavia', async () => {
    expect((await api.get('lbaas/amphorae')).status).toBe(404);
    expect((await api.get('amphorae')).status).toBe(404);
  });
});

describe('the list of amphorae', () => {
  const listed = async (query = ''): Promise<string[]> =>
    (await api.get(`octavia/amphorae${query}`)).body.amphorae.map(({ id }: Shown) => id);

  it('has those of all projects and spares, filtered by any attribute', async () => {
    const one = await site();
    const two = await site();
    const spare = await aSpare();
    expect(new Set(await listed())).toEqual(new Set([one.amphora, two.amphora, spare]));
    expect(await listed(`?loadbalancer_id=${one.id}`)).toEqual([one.amphora]);
    expect(await listed(`?load_balancer_id=${two.id}`)).toEqual([two.amphora]);
    expect(await listed('?status=BOOTING')).toEqual([spare]);
    expect(await listed('?role=MASTER')).toEqual([]);
    expect(await listed('?role=STANDALONE&status=BOOTING')).toEqual([]);
    expect(await listed('?cert_busy=true')).toEqual([]);
    expect((await api.get('octavia/amphorae?admin_state_up=true')).status).toBe(400);
    expect((await api.get('octavia/amphorae?heartbeat_key=x')).status).toBe(400);
  });

  it("is filtered by the load balancers' project", async () => {
    const { amphora } = await site();
    await aSpare();
    expect(await listed(`?project_id=${ownProject}`)).toEqual([amphora]);
    expect(await listed('?project_id=another')).toEqual([]);
  });

  it('has pages and links', async () => {
    await aSpare();
    await site();
    const { amphorae, amphorae_links } = (await api.get('octavia/amphorae?limit=1')).body;
    expect(amphorae).toHaveLength(1);
    expect(amphorae_links[0].href).toContain(`/v2.0/octavia/amphorae?limit=1&marker=${amphorae[0].id}`);
    expect((await api.get('octavia/amphorae?limit=1&fields=status')).body.amphorae).toEqual([{ status: 'BOOTING' }]);
  });
});

describe('statistics of an amphora', () => {
  it('are those of each listener it has counted for', async () => {
    const { id, listener, amphora } = await site();
    const sign = { amphora_id: amphora, load_balancer_id: id, last_seen: world.clock.now(), boot: '1', sequence: '1' };
    const row = { ...sign, generation: 1, digest: null, active: { [listener]: 4, [unknownId]: 9 } };
    const counted = {
      [`bytes_in#${listener}`]: 10,
      [`total_connections#${listener}`]: 5,
      [`bytes_in#${unknownId}`]: 1,
    };
    expect(await recordSign(world.services, { row, counted })).toBe(true);
    const { status, body } = await api.get(`${at(amphora)}/stats`);
    expect(status).toBe(200);
    expect(body).toEqual({
      amphora_stats: [
        {
          id: amphora,
          listener_id: listener,
          loadbalancer_id: id,
          active_connections: 4,
          bytes_in: 10,
          bytes_out: 0,
          request_errors: 0,
          total_connections: 5,
        },
      ],
    });
  });

  it('are not found before it has counted anything, or of an amphora that is not there', async () => {
    const { amphora } = await site();
    for (const id of [amphora, await aSpare(), unknownId]) {
      const text = `Amphora stats for ${id} not found.`;
      expect(refusal(await api.get(`${at(id)}/stats`))).toEqual({ status: 404, text });
    }
  });
});

describe('configuring an amphora', () => {
  it('pushes what is in force once more, each time, and changes no status', async () => {
    const { id, amphora } = await site();
    const before = await world.loadBalancer(id);
    for (const _time of [1, 2]) {
      world.journal.length = 0;
      const { status, body } = await api.put(`${at(amphora)}/config`);
      expect({ status, body }).toEqual({ status: 202, body: undefined });
      expect(await world.loadBalancer(id)).toEqual(before);
      await world.settle();
      expect(world.journal).toEqual(['amphora.pushConfiguration']);
    }
    expect(await world.loadBalancer(id)).toEqual(before);
  });

  it('has nothing to push to a spare', async () => {
    expect((await api.put(`${at(await aSpare())}/config`)).status).toBe(202);
    await world.settle();
    expect(world.journal).toEqual([]);
  });
});

describe('failing over an amphora', () => {
  const failover = (id: string) => api.put(`${at(id)}/failover`);
  const lbBusy = (id: string) => ({ status: 409, text: `Load Balancer ${id} is immutable and cannot be updated.` });

  it('replaces it, and it alone', async () => {
    begin({ topology: 'ACTIVE_STANDBY' });
    const { id } = await site();
    const roles = (await api.get('octavia/amphorae?sort=role')).body.amphorae;
    expect(roles).toMatchObject([
      { role: 'BACKUP', vrrp_priority: 90 },
      { role: 'MASTER', vrrp_priority: 100 },
    ]);
    const [first, second] = (await world.loadBalancer(id)).amphora_ids;
    const { status, body } = await failover(first!);
    expect({ status, body }).toEqual({ status: 202, body: undefined });
    expect((await world.loadBalancer(id)).provisioning_status).toBe('PENDING_UPDATE');
    await world.settle();
    const after = await world.loadBalancer(id);
    expect(after.provisioning_status).toBe('ACTIVE');
    expect(after.amphora_ids).toContain(second);
    expect(after.amphora_ids).not.toContain(first);
    expect(after.amphora_ids).toHaveLength(2);
    expect((await api.get(at(first!))).status).toBe(404);
  });

  it.each(['queue', 'strict'] as const)(
    'waits for no other failover, creation or deletion (%s)',
    async (conflict_policy) => {
      begin({ conflict_policy });
      const { id, amphora } = await site();
      expect((await failover(amphora)).status).toBe(202);
      expect(refusal(await failover(amphora))).toEqual(lbBusy(id));
      await world.settle();
      const [next] = (await world.loadBalancer(id)).amphora_ids;
      await api.delete(`lbaas/loadbalancers/${id}?cascade=true`, 'member');
      expect(refusal(await failover(next!))).toEqual(lbBusy(id));
    },
  );

  it('takes the place of an update that waits, which is in force afterwards', async () => {
    const { id, amphora } = await site();
    await world.rename(id);
    expect((await failover(amphora)).status).toBe(202);
    await world.settle();
    const after = await world.loadBalancer(id);
    expect(after).toMatchObject({ provisioning_status: 'ACTIVE', name: 'renamed' });
    expect(after.amphora_ids).not.toContain(amphora);
    expect(after.applied_generation).toBe(after.generation);
  });

  it('is refused while an update waits, and in ERROR, where Octavia refuses it (strict)', async () => {
    begin({ conflict_policy: 'strict' });
    const { id, amphora } = await site();
    await world.rename(id);
    expect(refusal(await failover(amphora))).toEqual(lbBusy(id));
    await world.settle();
    await changeLoadBalancer(world.services, id, () => ({ provisioning_status: 'ERROR' }));
    expect(refusal(await failover(amphora))).toEqual(lbBusy(id));
  });

  it('heals a load balancer in ERROR, and does not mind that failovers pause', async () => {
    const { id, amphora } = await site();
    const failover_pause = { until: world.clock.now() + 600_000, length_ms: 600_000 };
    await changeLoadBalancer(world.services, id, () => ({ provisioning_status: 'ERROR', failover_pause }));
    expect((await failover(amphora)).status).toBe(202);
    await world.settle();
    expect((await world.loadBalancer(id)).provisioning_status).toBe('ACTIVE');
  });

  it('has housekeeping end a spare, and leaves alone what is on its way or replaced', async () => {
    const text = (id: string) => `amphora ${id} is immutable and cannot be updated.`;
    const booting = await aSpare();
    expect(refusal(await failover(booting))).toEqual({ status: 409, text: text(booting) });
    await setAmphora(world.services, booting, { status: 'READY' });
    expect((await failover(booting)).status).toBe(202);
    expect((await api.get(at(booting))).body.amphora.status).toBe('PENDING_DELETE');
    await world.housekeeping();
    expect((await api.get(at(booting))).status).toBe(404);

    const { id, amphora } = await site();
    await changeLoadBalancer(world.services, id, () => ({ amphora_ids: [] }));
    expect(refusal(await failover(amphora))).toEqual({ status: 409, text: text(amphora) });
  });
});

describe('the certificate of an amphora', () => {
  it('is renewed when an administrator asks for it, and the amphora is busy with it meanwhile', async () => {
    const { id, amphora } = await site();
    const isBusy = async () => (await api.get(at(amphora))).body.amphora.cert_busy;
    expect((await api.ask('admin', 'PUT', `${at(amphora)}/certificate`)).status).toBe(202);
    const held = world.hold('rotate-amphora-certificate/PutCertificate');
    await world.housekeeping();
    await held.reached();
    expect(await isBusy()).toBe(true);
    held.letGo();
    await world.settle();
    expect(await isBusy()).toBe(false);
    expect(world.journal.filter((call) => call === 'amphora.putCertificate')).toHaveLength(1);
    expect((await world.loadBalancer(id)).amphora_ids).toEqual([amphora]);
  });

  it('is not renewed of one that is on its way or to go', async () => {
    const booting = await aSpare();
    const text = `amphora ${booting} is immutable and cannot be updated.`;
    expect(refusal(await api.ask('admin', 'PUT', `${at(booting)}/certificate`))).toEqual({ status: 409, text });
  });
});

describe('deleting an amphora', () => {
  it.each(['ALLOCATED', 'READY', 'BOOTING', 'PENDING_DELETE', 'FAILOVER_STOPPED'] as const)(
    'is refused while it is %s',
    async (status) => {
      const { amphora } = await site();
      await setAmphora(world.services, amphora, { status });
      const text = `amphora ${amphora} is immutable and cannot be updated.`;
      expect(refusal(await api.delete(at(amphora)))).toEqual({ status: 409, text });
    },
  );

  it('in ERROR takes it off its load balancer, and housekeeping ends its machine', async () => {
    const { id, amphora } = await site();
    await setAmphora(world.services, amphora, { status: 'ERROR' });
    const { status, body } = await api.delete(at(amphora));
    expect({ status, body }).toEqual({ status: 204, body: undefined });
    expect((await api.get(at(amphora))).body.amphora.status).toBe('PENDING_DELETE');
    expect((await world.loadBalancer(id)).amphora_ids).toEqual([]);
    await world.housekeeping();
    expect((await api.get(at(amphora))).status).toBe(404);
    expect(await world.services.compute.list()).toEqual([]);
  });

  it('in ERROR that nobody owns ends it too', async () => {
    const spare = await aSpare({ status: 'ERROR' });
    expect((await api.delete(at(spare))).status).toBe(204);
    await world.housekeeping();
    expect((await api.get(at(spare))).status).toBe(404);
  });
});
