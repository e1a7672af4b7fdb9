// What chaos does to processes and to the table. Who is stopped goes on after a while, unless it was ended meanwhile.
import { setTimeout as sleep } from 'node:timers/promises';
import type { LocalService } from '../support/local-service.ts';
import { childrenOf, processesOf, sendSignal } from '../support/processes.ts';
import type { ChaosAmphora } from './amphorae.ts';
import type { Partitions } from './partitions.ts';
import type { Subject } from './subjects.ts';
import { takeTableAway } from './table-outage.ts';

export interface Target {
  service: LocalService;
  subject: Subject;
  amphora: ChaosAmphora;
  pauseMs: number;
  /** Waits for those that are stopped now. */
  later: (work: Promise<unknown>) => void;
}

export interface PartitionTarget extends Target {
  partitions: Partitions;
}

export type Fault<T = Target> = (target: T) => void | Promise<void>;

const kill = (pids: number[]): void => {
  for (const pid of pids) sendSignal(pid, 'SIGKILL');
};

function stop({ pauseMs, later }: Target, pids: number[]): void {
  for (const pid of pids) sendSignal(pid, 'SIGSTOP');
  const goOn = () => {
    for (const pid of pids) sendSignal(pid, 'SIGCONT');
  };
  later(sleep(pauseMs).then(goOn));
}

const allOf = ({ directory }: ChaosAmphora): number[] => processesOf(directory).map(({ pid }) => pid);

const workersOf = ({ haproxy }: ChaosAmphora): number[] => haproxy.flatMap(childrenOf);

export const faults: Record<string, Fault> = {
  'kill the agent': ({ amphora }) => kill([amphora.agent]),
  'kill the master of HAProxy': ({ amphora }) => kill(amphora.haproxy),
  'kill the worker of HAProxy': ({ amphora }) => kill(workersOf(amphora)),
  'kill the amphora': ({ amphora }) => kill(allOf(amphora)),
  'stop the agent': (target) => stop(target, [target.amphora.agent]),
  'stop HAProxy': (target) => stop(target, [...target.amphora.haproxy, ...workersOf(target.amphora)]),
  'stop the amphora': (target) => stop(target, allOf(target.amphora)),
  'kill the service': async ({ service }) => {
    await service.kill();
    await service.restart();
  },
  'stop the service': (target) => stop(target, [target.service.pid]),
  'take the table away': ({ service, pauseMs, later }) => later(takeTableAway(service, pauseMs)),
};

/** Where the kernel has ip_vs. */
export const keepalivedFaults: Record<string, Fault> = {
  'kill keepalived': ({ amphora }) =>
    kill(
      processesOf(amphora.directory)
        .filter(({ command }) => command.startsWith('keepalived') || command.includes('/keepalived '))
        .map(({ pid }) => pid),
    ),
};
