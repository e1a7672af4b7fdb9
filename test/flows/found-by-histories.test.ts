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
  'an amphora that is given up while its first sign is awaited leaves no health behind': {
    ...{ isPair: true, hasSpare: false, seed: 137688586 },
    happenings: [
      happening('silence', 115, 12),
      happening('break', 84, 3),
      happening('pass', 0, 10),
      happening('silence', 6, 11),
      happening('write', 87, 1, [1302, 737, 352]),
      happening('write', 107, 11, [640]),
      happening('speak', 93, 8),
      happening('break', 79, 8),
      happening('beat', 86, 4),
      happening('scan', 90, 9),
      happening('die', 93, 10),
      happening('leap', 116, 11),
      happening('beat', 66, 8),
      happening('hold', 69, 10),
      happening('housekeeping', 2, 6),
      happening('abort', 18, 6),
      happening('housekeeping', 117, 11),
    ],
  },
};

it.each(Object.entries(found))('%s', async (_name, history) => expect(await tell(history)).toEqual([]));
