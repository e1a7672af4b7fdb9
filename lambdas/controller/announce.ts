// Tells the world what has changed.
import type { OperatingStatusChange } from '../domain/operating-status.ts';
import type { OctaviaEvent } from '../drivers/events/event-driver.ts';
import type { Transition } from '../repositories/changes.ts';
import type { Services } from '../runtime/services.ts';

type Announcer = Pick<Services, 'events' | 'clock' | 'newId'>;

export interface About {
  id: string;
  project_id: string;
  name: string;
}

const event = (
  services: Announcer,
  about: About,
  fields: Pick<OctaviaEvent, 'type' | 'resource' | 'resource_id' | 'detail'>,
) => ({
  id: services.newId(),
  time: new Date(services.clock.now()).toISOString(),
  project_id: about.project_id,
  load_balancer_id: about.id,
  ...fields,
});

/** Changes of provisioning status, in the order they were written. */
export async function announceTransitions(services: Announcer, about: About, transitions: Transition[]): Promise<void> {
  if (transitions.length === 0) return;
  await services.events.publish(
    transitions.map(({ kind, id, from, to, reason }) =>
      event(services, about, {
        type: 'provisioning_status_changed',
        resource: kind,
        resource_id: id,
        detail: { from, to, load_balancer_name: about.name, ...(reason ? { reason } : {}) },
      }),
    ),
  );
}

export async function announceOperatingStatuses(
  services: Announcer,
  about: About,
  changes: OperatingStatusChange[],
): Promise<void> {
  if (changes.length === 0) return;
  await services.events.publish(
    changes.map(({ kind, id, from, to }) =>
      event(services, about, {
        type: 'operating_status_changed',
        resource: kind,
        resource_id: id,
        detail: { from, to, load_balancer_name: about.name },
      }),
    ),
  );
}

/** Phases of a failover, sweeps and the like. */
export async function announce(
  services: Announcer,
  about: About,
  type: OctaviaEvent['type'],
  resource: string,
  resourceId: string,
  detail: Record<string, unknown> = {},
): Promise<void> {
  await services.events.publish([
    event(services, about, {
      type,
      resource,
      resource_id: resourceId,
      detail: { load_balancer_name: about.name, ...detail },
    }),
  ]);
}
