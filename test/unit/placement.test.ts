// Amphorae of a pair are kept apart.
import { describe, expect, it } from 'vitest';
import type { LoadBalancerRow } from '../../lambdas/domain/load-balancer.ts';
import { placementOf } from '../../lambdas/domain/placement.ts';

const id = '00000000-0000-4000-8000-000000000004';
const pair = { id, topology: 'ACTIVE_STANDBY' } as LoadBalancerRow;
const zones = ['a', 'b', 'c'];
const nowhere = new Set<string>();

describe('the placement of an amphora', () => {
  it('is in the server group of its pair, and in no zone where there are none', () => {
    expect(placementOf(pair, 'MASTER', [], nowhere)).toEqual({ server_group: id, availability_zone: null });
  });

  it('is anywhere for a load balancer with one amphora', () => {
    const single = { ...pair, topology: 'SINGLE' } as LoadBalancerRow;
    expect(placementOf(single, 'STANDALONE', zones, nowhere)).toEqual({ server_group: null, availability_zone: null });
  });

  it('is in different zones for a pair that is made at once', () => {
    const both = (['MASTER', 'BACKUP'] as const).map((role) => placementOf(pair, role, zones, nowhere));
    expect(new Set(both.map((one) => one.availability_zone)).size).toBe(2);
  });

  it('is in another zone than the amphora that stays, whichever that has', () => {
    for (const zone of zones)
      for (const role of ['MASTER', 'BACKUP'] as const)
        expect(placementOf(pair, role, zones, new Set([zone])).availability_zone).not.toBe(zone);
  });

  it('is in the only zone there is, and in the one that was asked for', () => {
    expect(placementOf(pair, 'BACKUP', ['a'], new Set(['a'])).availability_zone).toBe('a');
    const wished = { ...pair, availability_zone_data: { compute_zone: 'z' } } as LoadBalancerRow;
    expect(placementOf(wished, 'BACKUP', zones, new Set(['z'])).availability_zone).toBe('z');
  });
});
