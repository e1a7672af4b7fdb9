import { describe, expect, it } from 'vitest';
import {
  costs,
  elasticCosts,
  type Fleet,
  heartbeatCost,
  idleCosts,
  machineCost,
  total,
} from '../../infra/cost/model.ts';

const fleet: Fleet = {
  loadBalancers: 100,
  amphoraePerLoadBalancer: 1,
  amphoraePerMachine: 1,
  instanceType: 't4g.small',
  diskGb: 8,
  memberChangesPerDay: 50,
  readsPerDay: 1_000,
  creationsPerDay: 10,
  alarms: 15,
  endpointZones: 0,
};

describe('what it costs on AWS', () => {
  it('is at most five dollars a month when nothing is deployed on it', () => {
    expect(total(idleCosts(fleet))).toBeLessThanOrEqual(5);
    expect(total(idleCosts({ ...fleet, endpointZones: 2 }))).toBeGreaterThan(15);
  });

  it('is for heartbeats at most a twentieth of the machine, however few there are', () => {
    for (const amphorae of [1, 2, 10, 100, 10_000])
      expect(heartbeatCost(amphorae) / machineCost(fleet)).toBeLessThanOrEqual(0.05);
  });

  it('is less for each heartbeat the more amphorae there are', () => {
    const each = [1, 20, 100, 1_000].map(heartbeatCost);
    expect(each.toSorted((a, b) => b - a)).toEqual(each);
  });

  it('follows the machines, of which those that share one need fewer', () => {
    const alone = costs(fleet);
    const shared = costs({ ...fleet, amphoraePerMachine: 8 });
    expect(alone['machines']! / shared['machines']!).toBeCloseTo(100 / 13);
    expect(shared['heartbeats']).toBe(alone['heartbeats']);
  });

  it("counts AWS's own by the dimension that is used most", () => {
    const idle = { newConnectionsPerS: 0, activeConnections: 0, gbPerHour: 0 };
    expect(elasticCosts(1, idle).application).toBeCloseTo(730 * 0.0225);
    expect(elasticCosts(1, { ...idle, newConnectionsPerS: 50 }).application).toBeCloseTo(730 * (0.0225 + 2 * 0.008));
    expect(elasticCosts(2, { ...idle, gbPerHour: 3 }).network).toBeCloseTo(2 * 730 * (0.0225 + 3 * 0.006));
  });

  it('says of which machines a price is known', () => {
    expect(() => costs({ ...fleet, instanceType: 'x1e.32xlarge' })).toThrow(
      /no price is known of x1e.32xlarge, only of t4g/,
    );
  });
});
