// Load balancers: the root of every tree, and what the control plane remembers about its work on one.
import { boolean, ipAddress, listOf, nested, tags, text, uuid } from './attribute-types.ts';
import type { AvailabilityZoneData } from './availability-zone-profile.ts';
import { invalid } from './errors.ts';
import type { FlavorData } from './flavor-profile.ts';
import { type Created, parseCreate, resource } from './resource.ts';
import { owner, type Row, refs } from './row.ts';
import type { AmphoraRole } from './statuses.ts';

export const loadBalancer = resource({
  root: 'loadbalancer',
  plural: 'loadbalancers',
  argument: 'load_balancer',
  title: 'Load Balancer',
  attributes: {
    name: { type: text(), on: 'create+update', default: '' },
    description: { type: text(), on: 'create+update', default: '' },
    admin_state_up: { type: boolean(), on: 'create+update', default: true },
    vip_address: { type: ipAddress(), on: 'create' },
    vip_port_id: { type: uuid(), on: 'create' },
    vip_subnet_id: { type: uuid(), on: 'create' },
    vip_network_id: { type: uuid(), on: 'create' },
    vip_qos_policy_id: { type: uuid(), on: 'create+update' },
    vip_sg_ids: { type: listOf(uuid()), on: 'create+update', default: [] },
    additional_vips: { type: listOf(nested()), on: 'create', default: [] },
    project_id: { type: text(36), on: 'create' },
    provider: { type: text(64), on: 'create' },
    flavor_id: { type: uuid(), on: 'create' },
    availability_zone: { type: text(), on: 'create' },
    listeners: { type: listOf(nested()), on: 'create', default: [] },
    pools: { type: listOf(nested()), on: 'create', default: [] },
    tags: { type: tags(), on: 'create+update', default: [] },
  },
});

const additionalVip = resource({
  root: 'additional_vips',
  plural: 'additional_vips',
  argument: 'load_balancer.loadbalancer',
  title: 'Additional VIP',
  attributes: {
    subnet_id: { type: uuid(), on: 'create', required: true },
    ip_address: { type: ipAddress(), on: 'create' },
    port_id: { type: uuid(), on: 'create' },
  },
});
/** What is asked for; null: to be chosen. */
export type AdditionalVipWish = Created<typeof additionalVip.attributes>;

/** An address beside the VIP, in another subnet of its network. */
export interface AdditionalVip {
  subnet_id: string;
  ip_address: string;
  port_id: string;
}

/** @throws ApiError 400 */
export function checkedAdditionalVips(given: readonly unknown[]): AdditionalVipWish[] {
  const wishes = given.map((one) => parseCreate(additionalVip, one));
  if (new Set(wishes.map((one) => one.subnet_id)).size < wishes.length) throw duplicateSubnet();
  return wishes;
}
export const duplicateSubnet = () => invalid('Duplicate VIP subnet(s) specified. Only one IP can be bound per subnet.');

export type OperationKind = 'create' | 'update' | 'delete' | 'failover';

/** What a PENDING load balancer waits for, and until when. */
export interface PendingOperation {
  kind: OperationKind;
  /** Mints the names of executions, so that a second start of the same operation is the same execution. */
  id: string;
  /** Milliseconds since the epoch. */
  requested_at: number;
  deadline: number;
  /** Times the reconciler has set it going again. */
  attempts: number;
  /** Of the request that asked for it, when one did. */
  request_id?: string;
  /** Only this amphora is replaced. */
  amphora_id?: string;
  /** Of a failover of all: whose replacement was begun so far. */
  begun_ids?: string[];
  /** Only spares of this image will do: the failover is there to bring it. */
  image_id?: string;
  /** Nothing is lost yet: what is replaced is asked to leave before it is ended. */
  is_planned?: boolean;
}

/** The flow that works on the load balancer now; others leave their hands off it. */
export interface Lease {
  flow: string;
  execution: string;
  /** Milliseconds since the epoch. */
  until: number;
  /** While the other amphora of a pair is replaced. */
  serving?: Serving;
}

/** Who carries a pair's traffic meanwhile: what is written goes into force there, without waiting for the flow's end. */
export interface Serving {
  amphora_ids: string[];
  /** What they run, as far as it was committed. */
  applied_generation: number;
}

/** An amphora on its way to a load balancer: recorded before it is made, so that whatever was made can be found and undone. */
export interface Candidate {
  operation_id: string;
  /** The attempt it was planned by: a later one makes its own, as this one may still be undoing what it made. */
  execution: string;
  role: AmphoraRole;
  amphora_id: string;
  is_spare: boolean;
}

export interface FailoverPause {
  /** Milliseconds since the epoch. */
  until: number;
  length_ms: number;
}

/** Five seconds, doubling to ten minutes. */
export const longerPause = (before: FailoverPause | null | undefined, now: number): FailoverPause => {
  const length_ms = Math.min((before?.length_ms ?? 2_500) * 2, 600_000);
  return { until: now + length_ms, length_ms };
};

type Attributes = Created<typeof loadBalancer.attributes>;
export interface LoadBalancerRow
  extends Omit<Row, 'load_balancer_id'>,
    Omit<Attributes, 'listeners' | 'pools' | 'project_id' | 'additional_vips'> {
  load_balancer_id: string;
  vip_address: string;
  vip_port_id: string;
  vip_subnet_id: string;
  vip_network_id: string;
  additional_vips: AdditionalVip[];
  /** Zone of the VIP's subnet, where it has one: its amphorae have to be there. */
  vip_zone?: string;
  provider: string;
  topology: 'SINGLE' | 'ACTIVE_STANDBY';
  /** What the profiles of its flavor and zone said when it was made; they may not change while they are in use. */
  flavor_data?: FlavorData;
  availability_zone_data?: AvailabilityZoneData;
  listener_ids: string[];
  pool_ids: string[];
  amphora_ids: string[];
  candidates: Candidate[];
  /** Generation all amphorae run. */
  applied_generation: number;
  /** Raised before each move of the VIP: the highest alone counts. */
  vip_epoch: number;
  operation: PendingOperation | null;
  lease: Lease | null;
  /** After a failover that failed, the next is not tried before; each failure doubles the pause. */
  failover_pause: FailoverPause | null;
  /** What could not be done and so ended it in ERROR. */
  failed?: OperationKind | null;
  /** Large batches that were accepted and are being written, oldest first. */
  intents: string[];
}

/** The VIP may be with nobody: another failover makes it good, and no configuration alone. */
export const isAfterFailover = ({ provisioning_status, failed }: LoadBalancerRow): boolean =>
  provisioning_status === 'ERROR' && failed === 'failover';

/** The load balancer as GET and lists show it. */
export function loadBalancerResponse(row: LoadBalancerRow) {
  return {
    id: row.id,
    name: row.name,
    description: row.description,
    provisioning_status: row.provisioning_status,
    operating_status: row.operating_status,
    admin_state_up: row.admin_state_up,
    ...owner(row),
    created_at: row.created_at,
    updated_at: row.updated_at,
    vip_address: row.vip_address,
    vip_port_id: row.vip_port_id,
    vip_subnet_id: row.vip_subnet_id,
    vip_network_id: row.vip_network_id,
    vip_sg_ids: row.vip_sg_ids,
    additional_vips: row.additional_vips,
    listeners: refs(row.listener_ids),
    pools: refs(row.pool_ids),
    provider: row.provider,
    flavor_id: row.flavor_id,
    vip_qos_policy_id: row.vip_qos_policy_id,
    tags: row.tags,
    availability_zone: row.availability_zone,
    vip_vnic_type: row.flavor_data?.sriov_vip ? 'direct' : 'normal',
  };
}
