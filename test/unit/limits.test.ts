// Quotas and the storm guard: where a limit is met, and where it is not.
import { describe, expect, it } from 'vitest';
import { exceeded, limitsOf, type QuotaLimits } from '../../lambdas/domain/quota.ts';
import { isStorm } from '../../lambdas/domain/storm-guard.ts';

const unlimited: QuotaLimits = {
  loadbalancer: -1,
  listener: -1,
  member: -1,
  pool: -1,
  healthmonitor: -1,
  l7policy: -1,
  l7rule: -1,
};

describe('a quota', () => {
  const row = { project_id: 'p', in_use_member: 3, pool: 0, listener: null };

  it("is the project's own, else the default", () => {
    expect(limitsOf(row, { ...unlimited, listener: 5 })).toEqual({ ...unlimited, listener: 5, pool: 0 });
    expect(limitsOf(undefined, unlimited)).toEqual(unlimited);
  });

  it('is met when there would be more, and not when there are as many', () => {
    const limits = { ...unlimited, member: 5, pool: 0 };
    expect(exceeded(row, limits, { member: 2 })).toEqual([]);
    expect(exceeded(row, limits, { member: 3 })).toEqual(['member']);
    expect(exceeded(row, limits, { member: 3, pool: 1 })).toEqual(['member', 'pool']);
    expect(exceeded(undefined, limits, { listener: 1_000_000 })).toEqual([]);
  });

  it('below what is in use refuses nothing that takes nothing', () => {
    expect(exceeded(row, { ...unlimited, member: 1 }, { member: 0 })).toEqual([]);
    expect(exceeded(row, { ...unlimited, member: 1 }, { member: -1 })).toEqual([]);
  });
});

describe('a storm', () => {
  const limits = { share: 0.3, floor: 3 };
  it.each([
    [0, 0, false],
    [1, 1, false],
    [3, 3, false],
    [4, 4, true],
    [4, 13, true],
    [4, 14, false],
    [30, 100, false],
    [31, 100, true],
  ])('%i silent of %i amphorae: %s', (silent, all, expected) => {
    expect(isStorm(silent, all, limits)).toBe(expected);
  });
});
