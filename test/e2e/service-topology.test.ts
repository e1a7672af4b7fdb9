// How many amphorae a load balancer has: what its flavor says, else what the deployment does.
import { expect, test } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { LocalService } from '../support/local-service.ts';
import { request, TestMember } from '../support/traffic.ts';
import { asWeb, listenerPort, webGraph } from '../support/web-load-balancer.ts';

const cases = [
  { deployment: 'SINGLE', flavor: 'ACTIVE_STANDBY' },
  { deployment: 'ACTIVE_STANDBY', flavor: 'SINGLE' },
];
const sizes: Record<string, number> = { SINGLE: 1, ACTIVE_STANDBY: 2 };

test.each(cases)('is $flavor by its flavor, and $deployment without one', async ({ deployment, flavor }) => {
  await using service = await LocalService.start({ args: ['--topology', deployment] });
  using member = await TestMember.start('member');
  const { api } = service;
  const flavor_data = JSON.stringify({ loadbalancer_topology: flavor });
  const profile = await api.create('flavorprofiles', { name: 'by flavor', provider_name: 'amphora', flavor_data });
  const { id: flavor_id } = await api.create('flavors', { name: 'by flavor', flavor_profile_id: profile.id });

  for (const [topology, choice] of [
    [flavor, { flavor_id }],
    [deployment, {}],
  ] as const) {
    const { id } = await api.createLoadBalancer({ ...webGraph([member], { name: topology }), ...choice });
    const { vip } = asWeb(await api.active(id));
    expect(await eventually('it serves', () => request(vip, listenerPort))).toBe('member');
    expect(service.amphoraeWith(id)).toHaveLength(sizes[topology]!);
  }
});
