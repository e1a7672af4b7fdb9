// What chaos does to the network between the parts. Every cut heals after a while, some of them in the middle of the failover they cause.
import { setTimeout as sleep } from 'node:timers/promises';
import type { LocalService } from '../support/local-service.ts';
import { amphoraeOf, type ChaosAmphora } from './amphorae.ts';
import type { Fault, PartitionTarget } from './faults.ts';
import { addressOf, type Cut, controlPlaneFrom, eachOther, everybodyFrom } from './partitions.ts';

const failoverBeginsWithinMs = 15_000;

function cutForAWhile({ partitions, pauseMs, later }: PartitionTarget, cut: Cut): void {
  const heal = partitions.cut(cut);
  later(sleep(pauseMs).then(heal));
}

const address = ({ directory }: ChaosAmphora): string => addressOf(directory);

function peersOf({ service, subject, amphora }: PartitionTarget): Cut {
  const others = amphoraeOf(service, subject.id).filter(({ id }) => id !== amphora.id);
  return others.flatMap((other) => eachOther(address(amphora), address(other)));
}

const isBeingFailedOver = async ({ api }: LocalService, id: string): Promise<boolean> =>
  (await api.call('GET', `/v2.0/lbaas/loadbalancers/${id}/explain`)).explanation.operation?.kind === 'failover';

/** Or so late that there was none, as when another fault was in the way. */
async function untilFailover({ service, subject }: PartitionTarget): Promise<void> {
  const deadline = performance.now() + failoverBeginsWithinMs;
  while (performance.now() < deadline) {
    if (await isBeingFailedOver(service, subject.id).catch(() => false)) return;
    await sleep(20);
  }
}

/** @returns addresses of the amphorae there are, with a load balancer or without */
function everyAddress(service: LocalService): string[] {
  return service.amphoraIds().flatMap((id) => {
    try {
      return [addressOf(`${service.state}/amphorae/${id}`)];
    } catch {
      // It is just being made, or ended.
      return [];
    }
  });
}

export const partitionFaults: Record<string, Fault<PartitionTarget>> = {
  'cut the amphora from the control plane': (target) => cutForAWhile(target, controlPlaneFrom(address(target.amphora))),
  'cut the amphora from everybody but clients and members': (target) =>
    cutForAWhile(target, [...controlPlaneFrom(address(target.amphora)), ...peersOf(target)]),
  'cut the amphorae of the pair from each other': (target) => cutForAWhile(target, peersOf(target)),
  'cut the amphora from the control plane, heal amid its failover': (target) => {
    const heal = target.partitions.cut(controlPlaneFrom(address(target.amphora)));
    // The time to heal is at any of the flow's states.
    const amid = untilFailover(target).then(() => sleep(target.pauseMs / 10));
    target.later(amid.then(heal));
  },
  'cut every amphora from the control plane': (target) =>
    cutForAWhile(target, everyAddress(target.service).flatMap(controlPlaneFrom)),
  'cut the load balancer from its members': (target) => cutForAWhile(target, everybodyFrom(target.subject.members)),
  'cut the VIP from its clients': (target) => cutForAWhile(target, everybodyFrom(target.subject.place.host)),
};
