// Housekeeping, rotation: the authority gets its successor, and amphorae get new certificates and keys before the old ones end.
import { announce } from '../controller/announce.ts';
import { eachInTurn } from '../controller/each-in-turn.ts';
import type { AmphoraRow } from '../domain/amphora.ts';
import { isAuthorityUnused, needsRotation, rotationNeeds } from '../domain/rotation.ts';
import { readAllAmphorae } from '../repositories/amphorae.ts';
import { claimRotation } from '../repositories/rotations.ts';
import type { Services } from '../runtime/services.ts';

const nobody = { id: '', project_id: '', name: '' };

/** One step at most: the next is for a round that knows of this one. */
export async function rotateAuthority(services: Services): Promise<string | null> {
  const rows = await readAllAmphorae(services.table);
  const isUnused = (older: string, newer: string) => isAuthorityUnused(rows, older, newer);
  const phase = await services.authority.advance(services.clock.now(), isUnused);
  if (phase === undefined) return null;
  const { signer, version } = await services.authority.trust();
  await announce(services, nobody, `authority_${phase}`, 'authority', signer, { version }, `${phase} ${version}`);
  return phase;
}

const isTurning = (row: AmphoraRow, now: number): boolean =>
  (row.rotation ?? null) !== null && (row.rotation_until ?? 0) > now;

const isToRotate = (row: AmphoraRow, now: number): boolean =>
  (row.status === 'ALLOCATED' || row.status === 'READY') &&
  !isTurning(row, now) &&
  (row.rotation_pause?.until ?? 0) <= now;

async function begin(services: Services, row: AmphoraRow): Promise<boolean> {
  const { clock, config, flows, newId } = services;
  const execution = `rotate-${newId()}`;
  if (!(await claimRotation(services, row, execution, clock.now() + config.operation_timeout_ms))) return false;
  await flows.start('rotate-amphora-certificate', execution, { amphora_id: row.id, execution });
  return true;
}

/** A few at a time, those that end first. @returns how many were begun */
export async function rotateCertificates(services: Services): Promise<number> {
  const { clock, config, authority, table } = services;
  const [rows, trust, now] = [await readAllAmphorae(table), await authority.trust(), clock.now()];
  const due = rows
    .filter((row) => isToRotate(row, now) && needsRotation(rotationNeeds(row, trust, now, config)))
    .toSorted((a, b) => ((a.cert_expiration ?? '') < (b.cert_expiration ?? '') ? -1 : 1));
  const free = config.concurrent_rotations - rows.filter((row) => isTurning(row, now)).length;
  let begun = 0;
  await eachInTurn('certificates were not renewed', due.slice(0, Math.max(0, free)), async (row) => {
    if (await begin(services, row)) begun += 1;
  });
  return begun;
}
