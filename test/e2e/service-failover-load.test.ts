// A failover that an administrator asks for, of amphorae that are well, under load: what clients see of it.
import { expect, test } from 'vitest';
import { report } from '../support/eventually.ts';
import { LocalService } from '../support/local-service.ts';
import { Load, request, TestMember } from '../support/traffic.ts';
import { createWeb, listenerPort } from '../support/web-load-balancer.ts';

test.each(['SINGLE', 'ACTIVE_STANDBY'])(
  'serves on over a failover of a load balancer with topology %s',
  async (topology) => {
    await using service = await LocalService.start({ args: ['--topology', topology] });
    using member = await TestMember.start('member');
    const web = await createWeb(service, [member]);
    const before = service.amphoraeWith(web.id);
    const load = new Load(web.vip, listenerPort);
    await service.api.failover(web.id);
    await service.api.active(web.id);
    const seen = await load.stop();
    process.stdout.write(`  failover of ${topology}: ${seen.failures.length} of ${seen.requests} requests failed\n`);
    report(`failover of ${topology}: longest pause between two answers`, seen.longestGapMs);
    expect(seen.failures).toEqual([]);
    expect(seen.requests).toBeGreaterThan(100);
    expect(await request(web.vip, listenerPort)).toBe('member');
    expect(service.amphoraeWith(web.id).filter((id) => before.includes(id))).toEqual([]);
  },
);
