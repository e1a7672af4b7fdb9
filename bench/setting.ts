// Services to measure, started for one benchmark each and ended with it, and what fills them.
import { OctaviaClient } from '../local/demo/client.ts';
import { type OwnService, startService } from '../local/demo/service.ts';
import { load } from './load.ts';

/** The peer was measured with noop compute, network and amphora drivers, and so are we. */
export const noop = ['--ephemeral', '--compute', 'noop', '--network', 'noop'];
export const real = (spares: number): string[] => ['--ephemeral', '--spare-amphorae', String(spares)];

export interface Setting {
  service: OwnService;
  client: OctaviaClient;
}

export async function within<T>(args: string[], work: (setting: Setting) => Promise<T>): Promise<T> {
  const service = await startService(args);
  try {
    const client = await OctaviaClient.login(service.cloud);
    try {
      return await work({ service, client });
    } finally {
      client.close();
    }
  } finally {
    await service.stop();
  }
}

export const loadBalancerBody = ({ service }: Setting, more: Record<string, unknown> = {}) => ({
  loadbalancer: { name: 'bench-{n}', vip_subnet_id: service.cloud.subnet_id, ...more },
});

/** Resolves when so many load balancers have become ACTIVE, counted from the call on by the events of the service. */
export function untilActive({ service }: Setting, count: number, timeoutMs = 60_000): Promise<void> {
  const active = new Set<unknown>();
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`${active.size} of ${count} are ACTIVE`)), timeoutMs);
    service.onLine(({ event, resource, resource_id, detail }) => {
      if (event !== 'provisioning_status_changed' || resource !== 'loadbalancer') return;
      if ((detail as { to: string }).to !== 'ACTIVE') return;
      active.add(resource_id);
      if (active.size < count) return;
      clearTimeout(timer);
      resolve();
    });
  });
}

/** Creates load balancers at a concurrency of 16. @returns their ids once all are ACTIVE, and how long that took */
export async function fill(setting: Setting, count: number, more: Record<string, unknown> = {}) {
  const started = performance.now();
  const order = {
    cloud: setting.service.cloud,
    method: 'POST',
    path: '/loadbalancers',
    body: JSON.stringify(loadBalancerBody(setting, more)),
    concurrency: 16,
    count,
    durationMs: 60_000,
  };
  const [result] = await Promise.all([load(order), untilActive(setting, count)]);
  return { ...result, activeMs: performance.now() - started };
}
