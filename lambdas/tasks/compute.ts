// Tasks that make and end machines, and what they are born with: Octavia's compute and certificate tasks.
import { randomBytes } from 'node:crypto';
import { machineWish } from '../domain/amphora.ts';
import { NotReady } from '../domain/errors.ts';
import { heartbeatPurpose } from '../domain/heartbeat.ts';
import type { AmphoraRole } from '../domain/statuses.ts';
import { timestamp } from '../domain/time.ts';
import { eraseAmphora, putAmphora, readAmphora, setAmphora } from '../repositories/amphorae.ts';
import { readLoadBalancer } from '../repositories/trees.ts';
import type { Services } from '../runtime/services.ts';
import { type Task, taskHandler } from './task.ts';

/** The row comes before the machine: whatever was made can be found by it. */
const ComputeCreate: Task<{
  amphora_id: string;
  load_balancer_id?: string | null;
  role?: AmphoraRole | null;
}> = async (services, { amphora_id, load_balancer_id = null, role = null }) => {
  const now = services.clock.now();
  const owner = load_balancer_id === null ? undefined : await readLoadBalancer(services.table, load_balancer_id);
  const wish = machineWish(owner);
  await putAmphora(services, {
    id: amphora_id,
    load_balancer_id: null,
    status: 'BOOTING',
    role,
    compute_id: null,
    lb_network_ip: null,
    vrrp_ip: null,
    vrrp_port_id: null,
    ha_ip: null,
    ha_port_id: null,
    cert_expiration: null,
    cached_zone: null,
    image_id: null,
    compute_flavor: wish.compute_flavor,
    heartbeat_key: services.sealer.seal(randomBytes(32).toString('hex'), heartbeatPurpose(amphora_id)),
    created_at: timestamp(now),
    updated_at: null,
    busy_until: now + services.config.operation_timeout_ms,
  });
  const row = await readAmphora(services.table, amphora_id);
  if (row?.status !== 'BOOTING') return { compute_id: row?.compute_id ?? null };
  const issued = await services.authority.issueAmphora(amphora_id, now);
  const machine = await services.compute.build({
    amphora_id,
    server_certificate: issued.certificate,
    server_private_key: issued.private_key,
    ca_certificate: await services.authority.caCertificate(),
    heartbeat_key: services.sealer.open(row.heartbeat_key, heartbeatPurpose(amphora_id)),
    ...wish,
  });
  await setAmphora(services, amphora_id, { compute_id: machine.compute_id, cert_expiration: issued.expires_at });
  return { compute_id: machine.compute_id };
};

const ComputeWait: Task<{ amphora_id: string; compute_id: string }> = async (services, { amphora_id, compute_id }) => {
  const machine = await services.compute.get(compute_id);
  if (machine.state === 'GONE') throw new Error(`machine ${compute_id} of amphora ${amphora_id} is gone`);
  if (machine.state !== 'RUNNING') throw new NotReady('ComputeNotReady', `machine ${compute_id} is ${machine.state}`);
  await setAmphora(services, amphora_id, {
    lb_network_ip: machine.lb_network_ip,
    cached_zone: machine.zone,
    image_id: machine.image_id,
  });
};

/** Ends the machine, then forgets the amphora. @param load_balancer_id keeps what the amphora has counted */
const ComputeDelete: Task<{ amphora_id: string; load_balancer_id?: string | null }> = async (
  services,
  { amphora_id, load_balancer_id = null },
) => {
  const row = await readAmphora(services.table, amphora_id);
  if (row === undefined) return;
  await setAmphora(services, amphora_id, { status: 'PENDING_DELETE' });
  if (row.compute_id !== null) await services.compute.delete(row.compute_id);
  // One that is given up may have carried traffic already.
  await eraseAmphora(services, amphora_id, load_balancer_id ?? row.load_balancer_id);
};

export const computeTasks = { ComputeCreate, ComputeWait, ComputeDelete };
export const computeHandler = (services: Services) => taskHandler(services, computeTasks);
