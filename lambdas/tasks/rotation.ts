// Tasks that renew what an amphora was born with: Octavia's certificate rotation. Certificates and keys pass from here to the agent; a
// flow knows ids, and whether something was done. Each asks first what is still to be done, so that it may run twice.
import { randomBytes } from 'node:crypto';
import { addressOf } from '../controller/addresses.ts';
import { announce } from '../controller/announce.ts';
import type { AmphoraRow } from '../domain/amphora.ts';
import { Superseded } from '../domain/errors.ts';
import { heartbeatPurpose } from '../domain/heartbeat.ts';
import { rotationNeeds } from '../domain/rotation.ts';
import { readAmphora } from '../repositories/amphorae.ts';
import { endRotation, failRotation, putNextHeartbeatKey, setRotated } from '../repositories/rotations.ts';
import { readLoadBalancer } from '../repositories/trees.ts';
import type { Services } from '../runtime/services.ts';
import type { Task } from './task.ts';

interface OfRotation {
  amphora_id: string;
  execution: string;
}

/** The amphora, as long as it is this execution's turn. @throws Superseded */
async function turning(services: Services, { amphora_id, execution }: OfRotation): Promise<AmphoraRow> {
  const row = await readAmphora(services.table, amphora_id);
  if (row === undefined) throw new Superseded(`amphora ${amphora_id} is gone`);
  if (row.rotation !== execution) throw new Superseded(`it is not the turn of ${execution}`);
  return row;
}

async function needsOf(services: Services, row: AmphoraRow) {
  const trust = await services.authority.trust();
  return { trust, needs: rotationNeeds(row, trust, services.clock.now(), services.config) };
}

/** Before anything that a new authority has signed is shown to it. */
const PutAuthorities: Task<OfRotation> = async (services, input) => {
  const row = await turning(services, input);
  const { trust, needs } = await needsOf(services, row);
  if (!needs.authorities) return { is_renewed: false };
  await services.amphora.putAuthorities(addressOf(row), trust);
  const trusted_authorities = trust.authorities.map(({ id }) => id);
  await setRotated(services, row.id, input.execution, { trusted_authorities });
  return { is_renewed: true };
};

const PutCertificate: Task<OfRotation> = async (services, input) => {
  const row = await turning(services, input);
  const { needs } = await needsOf(services, row);
  if (!needs.certificate) return { is_renewed: false };
  const issued = await services.authority.issueAmphora(row.id, services.clock.now());
  await services.amphora.putCertificate(addressOf(row), issued);
  const { expires_at: cert_expiration, authority: cert_authority } = issued;
  await setRotated(services, row.id, input.execution, { cert_expiration, cert_authority });
  return { is_renewed: true };
};

/** On record before the amphora has it, so that no heartbeat is signed by a key nobody knows. It is in use once one was seen. */
const PutHeartbeatKey: Task<OfRotation> = async (services, input) => {
  const seen = await turning(services, input);
  const { needs } = await needsOf(services, seen);
  if (!needs.heartbeat_key) return { is_renewed: false };
  const purpose = heartbeatPurpose(seen.id);
  if (!seen.next_heartbeat_key) {
    const sealed = services.sealer.seal(randomBytes(32).toString('hex'), purpose);
    await putNextHeartbeatKey(services, seen, input.execution, sealed);
  }
  const row = await turning(services, input);
  if (!row.next_heartbeat_key) return { is_renewed: false };
  const heartbeat_key = services.sealer.open(row.next_heartbeat_key, purpose);
  const version = (row.heartbeat_key_version ?? 0) + 1;
  await services.amphora.putHeartbeatKey(addressOf(row), { version, heartbeat_key });
  await setRotated(services, row.id, input.execution, { next_heartbeat_key_at: services.clock.now() });
  return { is_renewed: true };
};

async function tell(
  services: Services,
  row: AmphoraRow,
  type: 'certificate_rotated' | 'certificate_rotation_failed',
  detail: Record<string, unknown>,
  execution: string,
): Promise<void> {
  const owner =
    row.load_balancer_id === null ? undefined : await readLoadBalancer(services.table, row.load_balancer_id);
  await announce(services, owner ?? { id: '', project_id: '', name: '' }, type, 'amphora', row.id, detail, execution);
}

interface Renewed {
  is_renewed: boolean;
}

const EndRotation: Task<OfRotation & { authorities: Renewed; certificate: Renewed; heartbeat_key: Renewed }> = async (
  services,
  { amphora_id, execution, authorities, certificate, heartbeat_key },
) => {
  const row = await readAmphora(services.table, amphora_id);
  if (row === undefined || !(await endRotation(services, amphora_id, execution))) return;
  const detail = {
    cert_expiration: row.cert_expiration,
    is_trusting_others: authorities.is_renewed,
    has_new_certificate: certificate.is_renewed,
    has_new_heartbeat_key: heartbeat_key.is_renewed,
  };
  await tell(services, row, 'certificate_rotated', detail, execution);
};

/** The amphora serves on with what it has; housekeeping tries again after a pause, and replaces it when the end is near. */
const FailRotation: Task<OfRotation & { error: { Error?: string; Cause?: string } }> = async (
  services,
  { amphora_id, execution, error },
) => {
  const row = await readAmphora(services.table, amphora_id);
  if (row === undefined || !(await failRotation(services, row, execution))) return;
  const reason = `${error.Error}: ${error.Cause ?? ''}`;
  await tell(services, row, 'certificate_rotation_failed', { reason }, execution);
};

/** They talk to the amphora. */
export const rotationTasks = { PutAuthorities, PutCertificate, PutHeartbeatKey };
/** They only remember. */
export const rotationEndTasks = { EndRotation, FailRotation };
