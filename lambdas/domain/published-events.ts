// Everything that is published, stated once: the envelope, and each type with what it means and says. The schemas in events/published
// and the table in docs/events.md are made of this.
import { z } from 'zod';
import { operatingStatuses, provisioningStatuses } from './statuses.ts';

const provisioning = z.enum(provisioningStatuses);
const operating = z.enum(operatingStatuses);
const count = z.int().min(0);
/** Empty where it is of no load balancer, or that one has none. */
const named = { load_balancer_name: z.string() };
const reason = z.string();
const detail = <S extends z.ZodRawShape>(shape: S) => z.strictObject({ ...shape, ...named });

const storm = detail({ zone: z.string().nullable(), silent: count, amphorae: count });
const reference = detail({ references: z.array(z.string()), expires_at: z.string().nullable() });
const authority = detail({ version: z.int() });
const rollout = detail({
  wave: count,
  load_balancers: z.looseObject({}),
  reason: reason.optional(),
});
const counters = { bytes_in: count, bytes_out: count, total_connections: count, request_errors: count };
const usageNow = z.strictObject({ ...counters, active_connections: count });

interface Statement {
  meaning: string;
  /** What `resource` may be. */
  resources: readonly [string, ...string[]];
  detail: z.ZodObject;
}

const tree = ['loadbalancer', 'listener', 'pool', 'member', 'healthmonitor', 'l7policy', 'l7rule'] as const;
const state = (meaning: string, resources: Statement['resources'], what: z.ZodObject): Statement => ({
  meaning,
  resources,
  detail: what,
});

const statements = {
  provisioning_status_changed: state(
    'a resource is PENDING, ACTIVE or in ERROR by now, or gone (`DELETED`)',
    tree,
    detail({ from: provisioning.nullable(), to: provisioning, reason: reason.optional() }),
  ),
  operating_status_changed: state(
    'traffic finds a resource in another state, members up and down included',
    tree,
    detail({ from: operating, to: operating }),
  ),
  failover_started: state(
    'amphorae are being replaced',
    ['loadbalancer'],
    detail({ amphora_ids: z.array(z.string()) }),
  ),
  failover_completed: state('they are replaced', ['loadbalancer'], detail({})),
  failover_failed: state('they could not be', ['loadbalancer'], detail({ reason })),
  standby_promoted: state(
    'the other amphora of a pair has the VIP',
    ['amphora'],
    detail({ old_amphora_id: z.string() }),
  ),
  peer_suspected: state(
    'an amphora of a pair does not hear the other',
    ['amphora'],
    detail({ reported_by: z.string(), silent_since: z.number() }),
  ),
  storm_guard_engaged: state('so many amphorae of a zone are silent that none is failed over', ['amphora'], storm),
  storm_guard_released: state('enough of them are heard again', ['amphora'], storm),
  orphan_swept: state(
    'what belonged to nobody was removed',
    ['amphora', 'compute', 'vip', 'network'],
    detail({
      status: z.string().optional(),
      amphora_id: z.string().optional(),
      vip_address: z.string().optional(),
    }),
  ),
  operation_expired: state('an operation did not end, and was given up', ['loadbalancer'], detail({ reason })),
  certificate_unreadable: state('a certificate that is in use cannot be read', ['listener', 'pool'], reference),
  certificate_readable: state('it can be read again', ['listener', 'pool'], reference),
  certificate_expired: state('a certificate that is in use is past its end', ['listener', 'pool'], reference),
  authority_introduced: state('amphorae are told of the next authority', ['authority'], authority),
  authority_signing: state('it signs from now on', ['authority'], authority),
  authority_retired: state('the one before is trusted no more', ['authority'], authority),
  certificate_rotated: state(
    'an amphora has a new certificate, authority or heartbeat key',
    ['amphora'],
    detail({
      cert_expiration: z.string().nullable(),
      is_trusting_others: z.boolean(),
      has_new_certificate: z.boolean(),
      has_new_heartbeat_key: z.boolean(),
    }),
  ),
  certificate_rotation_failed: state('it could not be given to it', ['amphora'], detail({ reason })),
  heartbeat_key_rotated: state('an amphora signs with its new key', ['amphora'], detail({ version: z.int() })),
  spare_build_failed: state(
    'a spare amphora could not be built',
    ['spare_pool'],
    detail({
      compute_flavor: z.string().nullable(),
      image_tag: z.string().nullable(),
      availability_zone: z.string().nullable(),
      failures: count,
      paused_until: z.string(),
    }),
  ),
  rollout_started: state('a new image is rolled out', ['rollout'], rollout),
  rollout_wave_started: state('the amphorae of a wave are being replaced', ['rollout'], rollout),
  rollout_wave_completed: state('they are, and were watched', ['rollout'], rollout),
  rollout_paused: state('an administrator stopped it for now', ['rollout'], rollout),
  rollout_resumed: state('it goes on', ['rollout'], rollout),
  rollout_halted: state('it stopped by itself', ['rollout'], rollout),
  rollout_cancelled: state('an administrator ended it', ['rollout'], rollout),
  rollout_completed: state('no amphora of the old image is left', ['rollout'], rollout),
  registration_refused: state(
    'a machine of an Auto Scaling group could not become a member',
    ['instance'],
    detail({ pool_id: z.string(), reason }),
  ),
  usage: state(
    'what a load balancer has carried since it was made, listeners that are gone included; once an hour',
    ['loadbalancer'],
    detail({ ...usageNow.shape, listeners: z.record(z.string(), usageNow) }),
  ),
} satisfies Record<string, Statement>;

export type EventType = keyof typeof statements;
export const eventTypes = Object.keys(statements) as EventType[];
export const statementOf = (type: EventType): Statement => statements[type];

/** The whole of an event of this type, as it is in `detail` of EventBridge. */
export const eventSchema = (type: EventType) =>
  z.strictObject({
    id: z.string().min(1).describe('the same happening told twice has the same'),
    type: z.literal(type),
    time: z.iso.datetime(),
    project_id: z.string().nullable(),
    load_balancer_id: z.string().nullable(),
    resource: z.enum(statements[type].resources),
    resource_id: z.string(),
    detail: statements[type].detail,
    sequence: z.string().optional().describe('of the same load balancer the later one is greater, compared as text'),
  });
