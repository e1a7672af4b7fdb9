// Tells the world what has changed.
import type { OctaviaEvent } from '../drivers/events/event-driver.ts';
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
