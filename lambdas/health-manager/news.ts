// Health manager, news between two scans: of a machine that ended, of an amphora its peer does not reach. They come by the hundred, and
// functions take them side by side: they lead to one look together, and what it does not see the next scan does.
import { claimLook } from '../repositories/health.ts';
import type { Services } from '../runtime/services.ts';
import { scanHealth } from './scan.ts';

/** @returns how many failovers were asked for; none when somebody looked just now: looks side by side would each begin as many as may be */
export async function lookForNews(services: Services): Promise<number> {
  const pauseMs = services.config.heartbeat_interval_ms / 8;
  return (await claimLook(services, pauseMs)) ? (await scanHealth(services)).failed_over : 0;
}
