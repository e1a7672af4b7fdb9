// Housekeeping, copies of certificates that are not served any more. Of rows it reads only those that may be the last to need one.
import { copyIdOf, copyKey } from '../drivers/certificates/certificate-copies.ts';
import { type CertificateUse, type CopyState, dropCopy, forgetFormer } from '../repositories/certificate-references.ts';
import { readChild } from '../repositories/trees.ts';
import type { Services } from '../runtime/services.ts';

/** A copy is made before the write that refers to it: nobody refers to a younger one yet. */
const unusedCopyMs = 600_000;

/** Of those that nobody refers to, the ones that are served on while a change is refused, or not in force yet. */
async function stillServed({ table }: Services, uses: CertificateUse[], unused: CopyState[]): Promise<Set<string>> {
  const ids = new Set(unused.map(({ copy_id }) => copy_id));
  const served = new Set<string>();
  for (const use of uses) {
    const former = (use.former ?? []).map(copyIdOf).filter((id) => ids.has(id));
    if (former.length === 0) continue;
    const row = await readChild(table, use.kind, use.id);
    if (row?.last_good === undefined) await forgetFormer(table, use);
    else for (const id of former) served.add(id);
  }
  return served;
}

/** @param used what is known of the copies that are referred to */
export async function dropUnusedCopies(
  services: Services,
  uses: CertificateUse[],
  known: Map<string, CopyState>,
  used: Map<string, CopyState>,
): Promise<void> {
  const before = services.clock.now() - unusedCopyMs;
  const unused = [...known.values()].filter(({ copy_id, written_at }) => !used.has(copy_id) && written_at < before);
  const served = await stillServed(services, uses, unused);
  for (const state of unused)
    if (!served.has(state.copy_id)) await dropCopy(services.table, state, copyKey(state.copy_id));
}
