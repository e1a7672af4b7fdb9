// Controller worker, the part that lets amphorae ship their logs: Octavia's log offloading, by the services proxy of its old
// design. Lives in the VPC, since it talks to amphorae; whose an archive is, is decided here and not by the amphora.
import { archiveName, type LogArchive } from '../../amphora/agent-api.ts';
import { addressOf } from '../controller/addresses.ts';
import type { ArchiveMessage } from '../controller/requests.ts';
import type { AmphoraRow } from '../domain/amphora.ts';
import { NotReady } from '../domain/errors.ts';
import { adminKey, tenantKey } from '../domain/log-archive.ts';
import { readAmphora } from '../repositories/amphorae.ts';
import { readLoadBalancer } from '../repositories/trees.ts';
import type { Services } from '../runtime/services.ts';
import { type SqsHandler, sqsHandler } from '../runtime/sqs-batch.ts';

/** Undefined for what no amphora of ours announces. */
async function keyOf(services: Services, amphora: AmphoraRow, { name }: LogArchive): Promise<string | undefined> {
  const { kind, owner, begun } = archiveName.exec(name)?.groups ?? {};
  if (begun === undefined) return undefined;
  const place = { amphora_id: amphora.id, begun, suffix: name.slice(-8) };
  if (kind === 'admin') return owner === amphora.id ? adminKey(place) : undefined;
  // An amphora that is no longer what it was puts nothing among the logs of others.
  if (owner !== amphora.load_balancer_id) return undefined;
  const row = await readLoadBalancer(services.table, owner);
  return row && tenantKey(row.project_id, row.id, place);
}

/** Amphorae go on with the sizes they were started with. */
const largestBytes = 67_108_864;

const isPlausible = ({ bytes, sha256 }: LogArchive, { log_chunk_bytes }: Services['config']): boolean =>
  Number.isSafeInteger(bytes) &&
  bytes > 0 &&
  bytes <= Math.max(largestBytes, 2 * log_chunk_bytes) &&
  /^[0-9a-f]{64}$/.test(sha256);

async function grant(services: Services, amphora: AmphoraRow, archive: LogArchive): Promise<void> {
  const key = await keyOf(services, amphora, archive);
  if (key === undefined || !isPlausible(archive, services.config)) {
    services.logger.warn('an archive that is not its amphora’s to store', { amphora_id: amphora.id, archive });
    return;
  }
  const { name, bytes, sha256 } = archive;
  const right = await services.objects.rightToPut({ key, bytes, sha256 });
  await services.amphora.grantArchive(addressOf(amphora), name, right);
}

/** Once each, however often it was announced. An amphora that is not there now announces them again. */
async function grantAll(services: Services, amphoraId: string, archives: LogArchive[]): Promise<void> {
  const amphora = await readAmphora(services.table, amphoraId);
  if (amphora === undefined) return;
  for (const archive of new Map(archives.map((one) => [one.name, one])).values()) {
    try {
      await grant(services, amphora, archive);
    } catch (error) {
      if (!(error instanceof NotReady)) throw error;
      services.logger.info('an archive waits for its amphora', { amphora_id: amphoraId, archive: archive.name });
      return;
    }
  }
}

export const grantArchivesHandler = (services: Services): SqsHandler =>
  sqsHandler<ArchiveMessage>(
    services.logger,
    (body) => body.amphora_id,
    (amphoraId, bodies) =>
      grantAll(
        services,
        amphoraId,
        bodies.flatMap((body) => body.archives),
      ),
  );
