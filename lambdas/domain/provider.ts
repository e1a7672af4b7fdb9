// Provider drivers: which there are, and what profiles of flavors and availability zones may ask of each.
import { ApiError } from './errors.ts';

/** What one key of a profile's data asks for. */
export interface Capability {
  description: string;
  type: 'string' | 'boolean' | 'array' | 'integer';
  oneOf?: readonly string[];
  /** Of an integer; none: 0. */
  minimum?: number;
  maximum?: number;
  /** Beyond Octavia: understood, and not in the list, which is Octavia's. */
  isExtension?: true;
}
export type Capabilities = Record<string, Capability>;

export interface Provider {
  name: string;
  description: string;
  /** Whether load balancers may name it. The noop provider is there for profiles alone. */
  isEnabled: boolean;
  flavor: Capabilities;
  availability_zone: Capabilities;
  /** Whether data with any other key is refused. */
  isStrict: boolean;
}

/** Each spare is a machine that is paid for: a slip of the pen is not built. */
const spares = (whose: string): Capability => ({
  type: 'integer',
  maximum: 100,
  isExtension: true,
  description: `Spare amphorae kept ready for load balancers ${whose}.`,
});

const amphoraFlavor: Capabilities = {
  loadbalancer_topology: {
    type: 'string',
    oneOf: ['ACTIVE_STANDBY', 'SINGLE'],
    description:
      'The load balancer topology. One of: SINGLE - One amphora per load balancer. ACTIVE_STANDBY - Two amphora per load balancer.',
  },
  compute_flavor: {
    type: 'string',
    description: 'Kind of machine the amphora runs on, as the compute driver calls it.',
  },
  amp_image_tag: { type: 'string', description: 'Tag of the image the amphora is made of.' },
  sriov_vip: { type: 'boolean', description: 'Whether the port of the VIP is an SR-IOV one.' },
  allow_member_sriov: { type: 'boolean', description: 'Whether members may ask for SR-IOV ports.' },
  colocation: {
    type: 'integer',
    minimum: 1,
    maximum: 32,
    isExtension: true,
    description: 'How many amphorae of the flavor share a machine, each of another load balancer. 1: none does.',
  },
  spare_amphorae: spares('of the flavor that name no zone'),
};

const amphoraZone: Capabilities = {
  compute_zone: { type: 'string', description: 'The compute availability zone.' },
  volume_zone: { type: 'string', description: 'Availability zone of the volumes of amphorae.' },
  management_network: { type: 'string', description: 'Network the control plane reaches amphorae by.' },
  valid_vip_networks: { type: 'array', description: 'Networks a VIP may be in; any when there are none.' },
  spare_amphorae: spares('in the zone whose flavor asks for no other machine'),
};

const amphora = { isEnabled: true, flavor: amphoraFlavor, availability_zone: amphoraZone, isStrict: true };

export const providers: readonly Provider[] = [
  { ...amphora, name: 'amphora', description: 'The Octavia Amphora driver.' },
  { ...amphora, name: 'octavia', description: 'Deprecated alias of the Octavia Amphora driver.' },
  {
    name: 'noop',
    description: 'Takes everything and does nothing.',
    isEnabled: false,
    flavor: { amp_image_tag: amphoraFlavor['amp_image_tag']! },
    availability_zone: { compute_zone: amphoraZone['compute_zone']!, volume_zone: amphoraZone['volume_zone']! },
    isStrict: false,
  },
];

const notEnabled = (name: string) => new ApiError(400, `Provider '${name}' is not enabled.`);

/** @throws ApiError 400 for a name no provider has */
export function providerNamed(name: string): Provider {
  const found = providers.find((one) => one.name === name);
  if (found === undefined) throw notEnabled(name);
  return found;
}

/** One that makes load balancers. @throws ApiError 400 */
export function enabledProvider(name: string): Provider {
  const found = providerNamed(name);
  if (!found.isEnabled) throw notEnabled(name);
  return found;
}
