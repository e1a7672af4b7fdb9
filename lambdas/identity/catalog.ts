// Keystone's service catalog: where a client finds what this deployment serves, from the address it called itself.
import { createHash } from 'node:crypto';

const services = [
  { type: 'identity', name: 'keystone', path: '/identity' },
  { type: 'load-balancer', name: 'octavia', path: '' },
  { type: 'network', name: 'neutron', path: '/network' },
  { type: 'key-manager', name: 'barbican', path: '/key-manager' },
] as const;

const interfaces = ['public', 'internal', 'admin'] as const;

/** The same at each login, as clients may keep it. */
const stableId = (name: string): string => createHash('sha256').update(name).digest('hex').slice(0, 32);

export const catalogOf = (origin: string, region: string) =>
  services.map(({ type, name, path }) => ({
    id: stableId(type),
    type,
    name,
    endpoints: interfaces.map((kind) => ({
      id: stableId(`${type} ${kind} ${region}`),
      interface: kind,
      region,
      region_id: region,
      url: `${origin}${path}`,
    })),
  }));

export type Catalog = ReturnType<typeof catalogOf>;
