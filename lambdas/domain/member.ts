// Members: the hosts a pool sends to.
import { BlockList, isIPv6 } from 'node:net';
import { boolean, integer, ipAddress, tags, text, uuid } from './attribute-types.ts';
import { type DeploymentRules, invalidOption, refuseUnsupported } from './deployment.ts';
import { ApiError } from './errors.ts';
import { shownExtensions } from './extensions.ts';
import { versionOf } from './ip-addresses.ts';
import { type Created, resource } from './resource.ts';
import { owner, type Row } from './row.ts';

const port = () => integer(1, 65_535);

/** What members can beyond Octavia: docs/extensions.md has it for users. */
export const memberExtensions = {
  connection_limit: { type: integer(1, 1_000_000), on: 'create+update', extension: true },
} as const;

export const member = resource({
  root: 'member',
  plural: 'members',
  argument: 'member_',
  title: 'Member',
  attributes: {
    address: { type: ipAddress(), on: 'create', required: true },
    protocol_port: { type: port(), on: 'create', required: true },
    subnet_id: { type: uuid(), on: 'create' },
    project_id: { type: text(36), on: 'create' },
    name: { type: text(), on: 'create+update', default: '' },
    admin_state_up: { type: boolean(), on: 'create+update', default: true },
    weight: { type: integer(0, 256), on: 'create+update', default: 1 },
    backup: { type: boolean(), on: 'create+update', default: false },
    monitor_port: { type: port(), on: 'create+update' },
    monitor_address: { type: ipAddress(), on: 'create+update' },
    request_sriov: { type: boolean(), on: 'create', default: false },
    tags: { type: tags(), on: 'create+update', default: [] },
    ...memberExtensions,
  },
});

type Attributes = Created<typeof member.attributes>;
type Extensions = Created<typeof memberExtensions>;
export interface MemberRow extends Row, Omit<Attributes, 'project_id' | keyof Extensions>, Partial<Extensions> {
  pool_id: string;
}

/** The metadata services of clouds, which nobody may balance to. */
const reservedAddresses = new BlockList();
reservedAddresses.addAddress('169.254.169.254');
reservedAddresses.addAddress('fd00:ec2::254', 'ipv6');
/** By value, not by spelling: `::ffff:169.254.169.254` gets there as well. */
export function refuseReservedAddress(address: string): void {
  if (reservedAddresses.check(address, isIPv6(address) ? 'ipv6' : 'ipv4'))
    throw invalidOption(address, 'member address');
}

/** Datagrams are passed on with the client's address, so they stay within a family. @throws ApiError 501 */
export function refuseOtherFamily(
  address: string,
  poolProtocol: string,
  vips: readonly string[],
  rules: Pick<DeploymentRules, 'amphora_driver'>,
): void {
  if (poolProtocol !== 'UDP' && poolProtocol !== 'SCTP') return;
  if (vips.some((vip) => versionOf(vip) === versionOf(address))) return;
  refuseUnsupported(
    rules,
    `This provider doesn't support mixing IPv4 and IPv6 addresses for its VIP and members in ${poolProtocol} load balancers.`,
  );
}

export const sriovRefused = () => new ApiError(400, 'The load balancer flavor does not allow SR-IOV member ports.');

export const memberAddressTaken = (address: string, protocolPort: number) =>
  new ApiError(409, `Another member on this pool is already using ip ${address} on protocol_port ${protocolPort}`);

export function memberResponse(row: MemberRow) {
  return {
    id: row.id,
    name: row.name,
    operating_status: row.operating_status,
    provisioning_status: row.provisioning_status,
    admin_state_up: row.admin_state_up,
    address: row.address,
    protocol_port: row.protocol_port,
    weight: row.weight,
    backup: row.backup,
    subnet_id: row.subnet_id,
    ...owner(row),
    created_at: row.created_at,
    updated_at: row.updated_at,
    monitor_address: row.monitor_address,
    monitor_port: row.monitor_port,
    tags: row.tags,
    vnic_type: row.request_sriov ? 'direct' : 'normal',
    ...shownExtensions(memberExtensions, row),
  };
}
