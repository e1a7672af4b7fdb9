// Octavia's housekeeping manager: a scheduled look at what nobody else looks after.
import { replaceRetiring } from '../controller/retirement.ts';
import type { Services } from '../runtime/services.ts';
import { lookAfterCertificates } from './certificate-references.ts';
import { replaceExpiring } from './certificates.ts';
import { endEmptyHosts } from './hosts.ts';
import { purgeDeleted, purgeEnded } from './purge.ts';
import { reconcile } from './reconcile.ts';
import { rollOut } from './rollout.ts';
import { rotateAuthority, rotateCertificates } from './rotation.ts';
import { keepSpares } from './spares.ts';
import { sweepOrphans } from './sweep.ts';
import { tellUsage } from './usage.ts';

const parts = {
  reconciled: reconcile,
  spares_started: keepSpares,
  authority: rotateAuthority,
  rotated: rotateCertificates,
  retired: replaceRetiring,
  rolling_out: rollOut,
  certificates: replaceExpiring,
  user_certificates: lookAfterCertificates,
  swept: sweepOrphans,
  hosts_ended: endEmptyHosts,
  purged: purgeDeleted,
  forgotten: purgeEnded,
  usage_told: tellUsage,
};

/** One part that fails keeps no other from its work. */
export const housekeepingHandler = (services: Services) => async () => {
  const done: Record<string, unknown> = {};
  const failures: unknown[] = [];
  for (const [name, part] of Object.entries(parts)) {
    try {
      done[name] = await part(services);
    } catch (error) {
      failures.push(error);
    }
  }
  if (failures.length > 0) throw new AggregateError(failures, `housekeeping failed in ${failures.length} of its parts`);
  return done;
};
