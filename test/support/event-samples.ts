// One published event of each type, as a rule's target is given it, and the table of them in the documentation.

import { z } from 'zod';
import { type EventType, eventSchema, eventTypes, statementOf } from '../../lambdas/domain/published-events.ts';
import type { OctaviaEvent } from '../../lambdas/drivers/events/event-driver.ts';

const id = (first: string) => `${first.repeat(8)}-0000-4000-8000-000000000001`;
const amphora = id('a');
const reason = 'EC2 has no room for another machine';
const storm = { zone: 'eu-central-1a', silent: 12, amphorae: 20 };
const certificate = { references: ['https://keys.example.com/v1/containers/web'], expires_at: '2026-06-01T00:00:00' };
const rollout = { wave: 2, load_balancers: { total: 40, done: 10, skipped: 0, remaining: 30 } };
const counted = {
  bytes_in: 81_920,
  bytes_out: 1_048_576,
  total_connections: 640,
  request_errors: 3,
  active_connections: 7,
};

type Said = Pick<OctaviaEvent, 'resource' | 'resource_id' | 'detail'>;
const of = (resource: string, resource_id: string, detail: object): Said => ({
  resource,
  resource_id,
  detail: { ...detail },
});
const whole = (detail: object) => of('loadbalancer', id('1'), detail);
const machine = (detail: object) => of('amphora', amphora, detail);

const samples: Record<EventType, Said> = {
  provisioning_status_changed: of('member', id('d'), { from: 'PENDING_CREATE', to: 'ACTIVE' }),
  operating_status_changed: of('member', id('d'), { from: 'ONLINE', to: 'ERROR' }),
  failover_started: whole({ amphora_ids: [amphora] }),
  failover_completed: whole({}),
  failover_failed: whole({ reason }),
  standby_promoted: machine({ old_amphora_id: id('b') }),
  peer_suspected: machine({ reported_by: id('b'), silent_since: 1_773_144_000_000 }),
  storm_guard_engaged: of('amphora', 'eu-central-1a', storm),
  storm_guard_released: of('amphora', 'eu-central-1a', { ...storm, silent: 2 }),
  orphan_swept: of('compute', 'i-0abcd1111abcd1111', { amphora_id: amphora }),
  operation_expired: whole({ reason: 'update did not end within 3 attempts' }),
  certificate_unreadable: of('listener', id('b'), certificate),
  certificate_readable: of('listener', id('b'), certificate),
  certificate_expired: of('listener', id('b'), { ...certificate, expires_at: '2026-03-01T00:00:00' }),
  authority_introduced: of('authority', 'c0ffee01', { version: 2 }),
  authority_signing: of('authority', 'c0ffee01', { version: 3 }),
  authority_retired: of('authority', 'c0ffee01', { version: 4 }),
  certificate_rotated: machine({
    cert_expiration: '2027-03-10T12:00:00',
    is_trusting_others: false,
    has_new_certificate: true,
    has_new_heartbeat_key: false,
  }),
  certificate_rotation_failed: machine({ reason: 'AmphoraUnreachable: no answer within 5 s' }),
  heartbeat_key_rotated: machine({ version: 2 }),
  spare_build_failed: of('spare_pool', 'default', {
    compute_flavor: null,
    image_tag: null,
    availability_zone: null,
    failures: 3,
    paused_until: '2026-03-10T12:04:00',
  }),
  rollout_started: of('rollout', id('e'), { ...rollout, wave: 0 }),
  rollout_wave_started: of('rollout', id('e'), rollout),
  rollout_wave_completed: of('rollout', id('e'), rollout),
  rollout_paused: of('rollout', id('e'), rollout),
  rollout_resumed: of('rollout', id('e'), rollout),
  rollout_halted: of('rollout', id('e'), { ...rollout, reason: 'a failover failed' }),
  rollout_cancelled: of('rollout', id('e'), rollout),
  rollout_completed: of('rollout', id('e'), rollout),
  registration_refused: of('instance', 'i-0abcd2222abcd2222', {
    pool_id: id('c'),
    reason: 'Quota has been met for resources: member',
  }),
  usage: whole({ ...counted, listeners: { [id('b')]: counted } }),
};

const ofLoadBalancer = new Set(['loadbalancer', 'listener', 'pool', 'member', 'healthmonitor']);
const isInTree = ({ resource }: Said) => ofLoadBalancer.has(resource);
const isSequenced = (type: EventType) => type.endsWith('status_changed') || type.startsWith('failover_');

export function sampleOf(type: EventType) {
  const said = samples[type];
  const time = '2026-03-10T12:00:00.000Z';
  const isOwned = isInTree(said) || ['standby_promoted', 'peer_suspected'].includes(type);
  const detail: OctaviaEvent = {
    id: '6d0f7c1e-1111-8222-8333-0123456789ab',
    type,
    time,
    project_id: isOwned ? '4f1d2c3b5a69788796a5b4c3d2e1f001' : null,
    load_balancer_id: isOwned ? id('1') : null,
    ...said,
    detail: { ...said.detail, load_balancer_name: isOwned ? 'web' : '' },
    ...(isSequenced(type) ? { sequence: '0000000000000000000400000000000000000111' } : {}),
  };
  const envelope = { version: '0', id: '53dc4d37-cffa-4f76-80c9-8b7d4a4d2eaa', 'detail-type': type, source: 'octavia' };
  const place = { account: '123456789012', time: '2026-03-10T12:00:00Z', region: 'eu-central-1' };
  return { ...envelope, ...place, resources: [said.resource_id], detail };
}

export const jsonSchemaOf = (type: EventType) => ({
  title: type,
  description: statementOf(type).meaning,
  ...z.toJSONSchema(eventSchema(type)),
});

const fieldsOf = (type: EventType): string =>
  Object.keys(statementOf(type).detail.shape)
    .filter((name) => name !== 'load_balancer_name')
    .map((name) => `\`${name}\``)
    .join(', ');

/** The table in docs/events.md. */
export const eventsTable = (): string =>
  ['| type | of | when | `detail` |', '|---|---|---|---|']
    .concat(
      eventTypes.map(
        (type) =>
          `| \`${type}\` | ${statementOf(type).resources.join(', ')} | ${statementOf(type).meaning} | ${fieldsOf(type)} |`,
      ),
    )
    .join('\n');
