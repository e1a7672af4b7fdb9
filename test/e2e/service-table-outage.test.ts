// The table of a running service is away for longer than amphorae may be silent: traffic goes on, nothing is failed over, and what is
// written afterwards goes into force.
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { takeTableAway } from '../chaos/table-outage.ts';
import { LocalService } from '../support/local-service.ts';
import { answersFrom, Load, TestMember } from '../support/traffic.ts';
import { asWeb, listenerPort, type WebLoadBalancer, webGraph } from '../support/web-load-balancer.ts';

const slowlyMs = 180_000;
/** Four times as long as an amphora may be silent on one machine, and twice as long as a write waits for the table. */
const awayMs = 12_000;
let service: LocalService;
let member: TestMember;
let other: TestMember;
let web: WebLoadBalancer;
beforeAll(async () => {
  service = await LocalService.start({ args: ['--topology', 'ACTIVE_STANDBY'] });
  member = await TestMember.start('one');
  other = await TestMember.start('two');
  const { id } = await service.api.createLoadBalancer(webGraph([member]));
  web = asWeb(await service.api.active(id, slowlyMs));
}, slowlyMs);
afterAll(async () => {
  await service[Symbol.asyncDispose]();
  for (const each of [member, other]) each[Symbol.dispose]();
});

test(
  'costs no request and no amphora',
  async () => {
    const before = service.amphoraeWith(web.id).toSorted();
    const load = new Load(web.vip, listenerPort);
    await takeTableAway(service, awayMs);
    // Whoever is held for silent would be failed over by then.
    await sleep(5_000);
    const { failures, requests } = await load.stop();
    expect(failures).toEqual([]);
    expect(requests).toBeGreaterThan(100);
    await service.api.create(`pools/${web.poolId}/members`, other.attributes);
    await service.api.active(web.id, slowlyMs);
    expect(await answersFrom(web.vip, listenerPort, 10)).toEqual(new Set(['one', 'two']));
    expect(service.amphoraeWith(web.id).toSorted()).toEqual(before);
    expect(before).toHaveLength(2);
    expect(service.lines.filter(({ event }) => event === 'failover_started')).toEqual([]);
    // It was away, and the service has said so.
    expect(JSON.stringify(service.lines)).toContain('database is locked');
  },
  slowlyMs,
);
