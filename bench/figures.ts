// What to measure up to: the targets of the design, and the figures of real Octavia 11 with noop compute, network and amphora
// drivers, MariaDB, RabbitMQ and two API processes of eight threads. Those were measured elsewhere on the same kind of machine
// (2 cores), not in this run.
import type { Figures } from './bench.ts';

export const figures = {
  show: { target: 1.4, octavia: 14 },
  showRate: { target: 1_200, octavia: 120 },
  list100: { target: 5, octavia: 50 },
  list1000: { target: 38, octavia: 380 },
  statusTree: { target: 10, octavia: 200 },
  statusTreeRate: { target: 200, octavia: 9.7 },
  create: { target: 4, octavia: 33 },
  createRate: { target: 350, octavia: 35 },
  createActive: { target: 60, octavia: 600 },
  createActiveRate: { target: 40, octavia: 2 },
  addMember: { target: 5, octavia: 105 },
  addMemberRate: { target: 200, octavia: 2.2 },
  batch100: { target: 60, octavia: 1_300 },
  heartbeatRate: { target: 5_000, octavia: 268 },
  idleMemory: { target: 120, octavia: 1_265 },
  memberLive: { target: 100 },
  serving: { target: 2_000 },
  servingWithSpare: { target: 1_000 },
  killedPair: { target: 3_000, octavia: 60_000 },
  killedSingle: { target: 8_000, octavia: 60_000 },
  render1000: { target: 20 },
  apply1000: { target: 500 },
} satisfies Record<string, Figures>;
