// Who may put which archive where: the amphora says what it has, the control plane says whose it is.
import { beforeEach, describe, expect, test } from 'vitest';
import type { ArchiveRight, LogArchive } from '../../amphora/agent-api.ts';
import type { AmphoraRow } from '../../lambdas/domain/amphora.ts';
import { NotReady } from '../../lambdas/domain/errors.ts';
import type { AmphoraAddress } from '../../lambdas/drivers/amphora/amphora-driver.ts';
import { NoopAmphoraDriver } from '../../lambdas/drivers/amphora/noop.ts';
import { putAmphora } from '../../lambdas/repositories/amphorae.ts';
import { newLoadBalancerItem } from '../../lambdas/repositories/load-balancers.ts';
import { grantArchivesHandler } from '../../lambdas/worker/grant-archives.ts';
import { aLoadBalancer, idOf } from '../support/builders.ts';
import { type TestServices, testServices } from '../support/services.ts';

class RecordingAmphorae extends NoopAmphoraDriver {
  readonly granted: { id: string; archive: string; url: string }[] = [];
  isAway = false;
  override async grantArchive({ id }: AmphoraAddress, archive: string, { url }: ArchiveRight): Promise<void> {
    if (this.isAway) throw new NotReady('AmphoraNotReady', 'away');
    this.granted.push({ id, archive, url });
  }
}

const amphoraId = idOf('other', 7);
const [own, others] = [idOf('lb', 1), idOf('lb', 2)];
let services: TestServices;
let amphorae: RecordingAmphorae;

beforeEach(async () => {
  amphorae = new RecordingAmphorae();
  services = testServices({ amphora: amphorae });
  for (const id of [own, others]) {
    const row = aLoadBalancer({ id, load_balancer_id: id, project_id: `project of ${id.slice(-1)}` });
    await services.table.transact([{ kind: 'put', item: newLoadBalancerItem(row) }]);
  }
  const amphora = { id: amphoraId, load_balancer_id: own, status: 'ALLOCATED', lb_network_ip: '192.0.2.1' };
  await putAmphora(services, { heartbeat_key: '', busy_until: 0, created_at: '', ...amphora } as unknown as AmphoraRow);
});

const archive = (name: string, given: Partial<LogArchive> = {}): LogArchive => ({
  name,
  kind: 'tenant',
  bytes: 10,
  sha256: 'ab'.repeat(32),
  from: '',
  to: '',
  ...given,
});
const named = (kind: string, owner: string) => `${kind}-${owner}-20260301T235959Z-0123abcd`;

async function announce(...archives: LogArchive[]): Promise<unknown[]> {
  const body = JSON.stringify({ amphora_id: amphoraId, archives });
  const { batchItemFailures } = await grantArchivesHandler(services)({ Records: [{ messageId: 'm', body }] } as never);
  return batchItemFailures;
}
const keys = () => services.objects.granted.map(({ key }) => key);

describe('an archive', () => {
  test('of traffic goes below the project and the load balancer, by day', async () => {
    expect(await announce(archive(named('tenant', own)))).toEqual([]);
    const key = `tenant/project_of_1/${own}/2026/03/01/20260301T235959Z-${amphoraId}-0123abcd.log.gz`;
    expect(services.objects.granted).toEqual([{ key, bytes: 10, sha256: 'ab'.repeat(32) }]);
    expect(amphorae.granted).toMatchObject([{ id: amphoraId, archive: named('tenant', own) }]);
  });

  test('for operators goes below the amphora, and never below a project, whatever it calls itself', async () => {
    await announce(archive(named('admin', amphoraId), { kind: 'tenant' }));
    expect(keys()).toEqual([`admin/${amphoraId}/2026/03/01/20260301T235959Z-${amphoraId}-0123abcd.log.gz`]);
  });

  test('that is announced twice is granted once', async () => {
    await announce(archive(named('tenant', own)), archive(named('tenant', own)));
    expect(amphorae.granted).toHaveLength(1);
  });

  test.each([
    ['of another load balancer', archive(named('tenant', others))],
    ['of another amphora', archive(named('admin', idOf('other', 8)))],
    ['of a kind there is not', archive(named('root', own))],
    ['that leads elsewhere', archive(`tenant-${own}/../../admin-20260301T235959Z-0123abcd`)],
    ['with more behind its name', archive(`${named('tenant', own)}/x`)],
    ['that is empty', archive(named('tenant', own), { bytes: 0 })],
    ['larger than any', archive(named('tenant', own), { bytes: 1e12 })],
    ['without a hash', archive(named('tenant', own), { sha256: '' })],
  ])('%s is not granted, and keeps no other from it', async (_what, wrong) => {
    expect(await announce(wrong, archive(named('admin', amphoraId)))).toEqual([]);
    expect(amphorae.granted.map((one) => one.archive)).toEqual([named('admin', amphoraId)]);
  });

  test('of an amphora that is away is left to be announced again', async () => {
    amphorae.isAway = true;
    expect(await announce(archive(named('tenant', own)))).toEqual([]);
    expect(amphorae.granted).toEqual([]);
  });
});
