// Histories that once ended badly, made as small as they go.
import { expect, it } from 'vitest';
import { type Happening, tell } from '../support/histories.ts';

const happening = (what: Happening['what'], n: number, ticks: number, calls = [0]): Happening => ({
  what,
  n,
  calls,
  ticks,
});

const found: Record<string, Parameters<typeof tell>[0]> = {
  'an operation whose start was put off for an hour keeps others off its load balancer': {
    ...{ isPair: false, hasSpare: false, seed: 555442865 },
    happenings: [
      happening('break', 50, 12),
      happening('leap', 116, 11),
      happening('leap', 23, 12),
      happening('write', 15, 9, [439]),
    ],
  },
};

it.each(Object.entries(found))('%s', async (_name, history) => expect(await tell(history)).toEqual([]));
