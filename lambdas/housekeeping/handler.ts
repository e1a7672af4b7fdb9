// Octavia's housekeeping manager: a scheduled look at what nobody else looks after.
import type { Services } from '../runtime/services.ts';
import { purgeDeleted } from './purge.ts';
import { reconcile } from './reconcile.ts';
import { keepSpares } from './spares.ts';
import { sweepOrphans } from './sweep.ts';

export const housekeepingHandler = (services: Services) => async () => ({
  reconciled: await reconcile(services),
  spares_started: await keepSpares(services),
  swept: await sweepOrphans(services),
  purged: await purgeDeleted(services),
});
