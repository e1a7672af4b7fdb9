// Which doors of a VIP are open, for whom.
import { expect, it } from 'vitest';
import { vipRules } from '../../lambdas/domain/vip-rules.ts';
import { aListener, aLoadBalancer } from '../support/builders.ts';

const one = aLoadBalancer({ vip_address: '10.0.0.9' });

it('everybody of the VIP’s own kind of address may reach a listener that names nobody', () => {
  const both = { ...one, additional_vips: [{ ip_address: 'fd00::9', subnet_id: 's', port_id: 'p' }] };
  expect(vipRules(one, [aListener({ protocol_port: 80 })])).toEqual([{ protocol: 'tcp', port: 80, cidr: '0.0.0.0/0' }]);
  expect(vipRules(both, [aListener({ protocol_port: 80 })]).map(({ cidr }) => cidr)).toEqual(['0.0.0.0/0', '::/0']);
});

it('a listener’s allowed_cidrs are its rules, with the transport of its protocol', () => {
  const dns = aListener({ protocol: 'UDP', protocol_port: 53, allowed_cidrs: ['10.1.0.0/16', '10.2.0.0/16'] });
  const web = aListener({ protocol: 'TERMINATED_HTTPS', protocol_port: 443, allowed_cidrs: ['192.0.2.0/24'] });
  expect(vipRules(one, [dns, web])).toEqual([
    { protocol: 'tcp', port: 443, cidr: '192.0.2.0/24' },
    { protocol: 'udp', port: 53, cidr: '10.1.0.0/16' },
    { protocol: 'udp', port: 53, cidr: '10.2.0.0/16' },
  ]);
});

it('a listener that is disabled or being deleted has no door', () => {
  const listeners = [aListener({ admin_state_up: false }), aListener({ provisioning_status: 'PENDING_DELETE' })];
  expect(vipRules(one, listeners)).toEqual([]);
});
