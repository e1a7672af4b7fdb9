// Tasks that make and end machines, and what they are born with: Octavia's compute and certificate tasks.
import { bornAmphora } from '../controller/amphora-birth.ts';
import { endMachine, endStray, placeOnHost } from '../controller/hosts.ts';
import { placed } from '../controller/placement.ts';
import { machineWish, wishOf } from '../domain/amphora.ts';
import { NotReady, Superseded } from '../domain/errors.ts';
import { heartbeatPurpose } from '../domain/heartbeat.ts';
import type { AmphoraRole } from '../domain/statuses.ts';
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
  await putAmphora(services, bornAmphora(services, amphora_id, role, machineWish(owner)));
  const row = await readAmphora(services.table, amphora_id);
  if (row?.status !== 'BOOTING') return { compute_id: row?.compute_id ?? null };
  // What a spare is to be says its row, which whoever wanted it has put.
  const wish = owner === undefined ? wishOf(row) : { ...machineWish(owner), ...(await placed(services, owner, role)) };
  const host_id = await placeOnHost(services, row, wish, load_balancer_id);
  const issued = await bornWith(services, amphora_id, now);
  const { colocation, ...machineOfOne } = wish;
  const machine = await services.compute.build({
    amphora_id,
    server_certificate: issued.certificate,
    server_private_key: issued.private_key,
    ca_certificate: issued.ca_certificate,
    heartbeat_key: services.sealer.open(row.heartbeat_key, heartbeatPurpose(amphora_id)),
    ...machineOfOne,
    host_id,
  });
  if (await setAmphora(services, amphora_id, { compute_id: machine.compute_id }))
    return { compute_id: machine.compute_id };
  // Whoever gave it up meanwhile saw no machine yet.
  await endStray(services, machine);
  throw new Superseded(`amphora ${amphora_id} is gone`);
};

/** On record before the machine is there, and the first time alone: it may have been built with what an earlier attempt made. */
async function bornWith({ authority, ...services }: Services, amphoraId: string, now: number) {
  const trust = await authority.trust();
  const issued = await authority.issueAmphora(amphoraId, now);
  const trusted_authorities = trust.authorities.map(({ id }) => id);
  const born = { cert_expiration: issued.expires_at, cert_authority: issued.authority, trusted_authorities };
  await setAmphora(services, amphoraId, born, { equals: { cert_expiration: null } });
  return { ...issued, ca_certificate: trust.authorities.map(({ certificate }) => certificate).join('') };
}

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
  if (!(await setAmphora(services, amphora_id, { status: 'PENDING_DELETE' }))) return;
  const row = await endMachine(services, amphora_id);
  // One that is given up may have carried traffic already.
  await eraseAmphora(services, amphora_id, load_balancer_id ?? row?.load_balancer_id ?? null);
};

export const computeTasks = { ComputeCreate, ComputeWait, ComputeDelete };
export const computeHandler = (services: Services) => taskHandler(services, computeTasks);
