// Tells the world what has changed.
import type { OctaviaEvent } from '../drivers/events/event-driver.ts';
import type { Services } from '../runtime/services.ts';
import { stableId } from './status-news.ts';

type Announcer = Pick<Services, 'events' | 'clock' | 'newId'>;

export interface About {
  id: string;
  project_id: string;
  name: string;
}

/** @param occasion which of all times this is, where it may be told twice: the id follows from it */
export const eventOf = (
  services: Announcer,
  about: About,
  fields: Pick<OctaviaEvent, 'type' | 'resource' | 'resource_id' | 'detail'>,
  occasion: string | undefined,
): OctaviaEvent => ({
  id: occasion === undefined ? services.newId() : stableId(fields.type, fields.resource_id, occasion),
  time: new Date(services.clock.now()).toISOString(),
  project_id: about.project_id || null,
  load_balancer_id: about.id || null,
  ...fields,
});

/**
 * Rotations, sweeps and the like, which no row of a load balancer tells by itself.
 * @param occasion see eventOf
 */
export async function announce(
  services: Announcer,
  about: About,
  type: OctaviaEvent['type'],
  resource: string,
  resourceId: string,
  detail: Record<string, unknown> = {},
  occasion?: string,
): Promise<void> {
  const said = { load_balancer_name: about.name, ...detail };
  await services.events.publish([
    eventOf(services, about, { type, resource, resource_id: resourceId, detail: said }, occasion),
  ]);
}
