// What an amphora refuses passes from task to task through the flow, and a flow carries 256 KiB at most.
import { expect, it } from 'vitest';
import { ConfigurationRefused } from '../../lambdas/drivers/amphora/amphora-driver.ts';
import { NoopAmphoraDriver } from '../../lambdas/drivers/amphora/noop.ts';
import { readTree } from '../../lambdas/repositories/trees.ts';
import { FlowWorld } from '../support/flow-world.ts';

/** Complains as HAProxy does: of each line, with the names of the line. */
class Complaining extends NoopAmphoraDriver {
  namesLines = true;

  override async pushConfiguration(...[amphora, configuration]: Parameters<NoopAmphoraDriver['pushConfiguration']>) {
    const lines = configuration.text.split('\n').flatMap((text, index) => {
      const [, , name = ''] = text.trim().split(' ');
      const message = `'server ${name}' : invalid address: '${name}' in '${text.trim()}', an address or a name is expected`;
      return text.includes(' 10.9.') ? [{ line: index + 1, message }] : [];
    });
    if (lines.length === 0) return super.pushConfiguration(amphora, configuration);
    const message = lines[0]!.message;
    const named = this.namesLines ? lines : [];
    throw new ConfigurationRefused({ error: 'invalid', http_code: 400, message, lines: named });
  }
}

const many = 2_500;
const members = Array.from({ length: many }, (_, index) => ({
  address: `10.9.${index >> 8}.${index & 255}`,
  protocol_port: 8080,
}));

it.each([
  ['names their lines', true],
  ['does not say where', false],
])(
  `a load balancer is ACTIVE when ${many} of its members are refused by an amphora that %s`,
  async (_, namesLines) => {
    const amphora = Object.assign(new Complaining(), { namesLines });
    const world = new FlowWorld({}, { amphora });
    const [subnet] = await world.outside.network.listSubnets();
    const default_pool = { name: 'pool', protocol: 'HTTP', lb_algorithm: 'ROUND_ROBIN', members };
    const listeners = [{ protocol: 'HTTP', protocol_port: 80, default_pool }];
    const loadbalancer = { name: 'lb', vip_subnet_id: subnet!.id, listeners };
    const { status, body } = await world.api({
      method: 'POST',
      path: '/v2.0/lbaas/loadbalancers',
      body: { loadbalancer },
    });
    expect(status).toBe(201);
    const { id } = body.loadbalancer;
    await world.settle();
    expect(await world.loadBalancer(id)).toMatchObject({ provisioning_status: 'ACTIVE' });
    const tree = await readTree(world.outside.table, id);
    const reasons = tree!.members.map(({ provisioning_status, reason = '' }) => ({ provisioning_status, reason }));
    expect(reasons).toHaveLength(many);
    expect(new Set(reasons.map((one) => one.provisioning_status))).toEqual(new Set(['ERROR']));
    expect(reasons.every(({ reason }) => reason.includes('an address or a name is expected'))).toBe(true);
    await world.close();
  },
  120_000,
);
