// The amphorae of a load balancer as their directories show them. A standby may have no HAProxy: there is nothing to hand over to it.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { LocalService } from '../support/local-service.ts';

export interface ChaosAmphora {
  id: string;
  directory: string;
  agent: number;
  /** Its master, if there is one. */
  haproxy: number[];
}

/** @throws Error while one is just being made or ended */
export function amphoraeOf(service: LocalService, loadBalancerId: string): ChaosAmphora[] {
  return service.amphoraeWith(loadBalancerId).map((id) => {
    const directory = join(service.state, 'amphorae', id);
    const pidFile = join(directory, 'run', loadBalancerId, 'haproxy.pid');
    return {
      id,
      directory,
      agent: Number(JSON.parse(readFileSync(join(directory, 'process.json'), 'utf8')).pid),
      haproxy: existsSync(pidFile) ? [Number(readFileSync(pidFile, 'utf8'))] : [],
    };
  });
}
