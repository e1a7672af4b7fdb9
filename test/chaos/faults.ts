// What chaos does to processes. Who is stopped goes on after a while, unless it was ended meanwhile.
import { setTimeout as sleep } from 'node:timers/promises';
import type { AmphoraOnDisk, LocalService } from '../support/local-service.ts';
import { childrenOf, processesOf, sendSignal } from '../support/processes.ts';

export interface Target {
  service: LocalService;
  amphora: AmphoraOnDisk;
  pauseMs: number;
  /** Waits for those that are stopped now. */
  later: (work: Promise<unknown>) => void;
}

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

const allOf = ({ directory }: AmphoraOnDisk): number[] => processesOf(directory).map(({ pid }) => pid);

export const faults: Record<string, (target: Target) => void | Promise<void>> = {
  'kill the agent': ({ amphora }) => kill([amphora.agent]),
  'kill the master of HAProxy': ({ amphora }) => kill([amphora.haproxy]),
  'kill the worker of HAProxy': ({ amphora }) => kill(childrenOf(amphora.haproxy)),
  'kill the amphora': ({ amphora }) => kill(allOf(amphora)),
  'stop the agent': (target) => stop(target, [target.amphora.agent]),
  'stop HAProxy': (target) => stop(target, [target.amphora.haproxy, ...childrenOf(target.amphora.haproxy)]),
  'stop the amphora': (target) => stop(target, allOf(target.amphora)),
  'kill the service': async ({ service }) => {
    await service.kill();
    await service.restart();
  },
  'stop the service': (target) => stop(target, [target.service.pid]),
};
