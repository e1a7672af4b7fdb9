// Certificates of users over time: changed under the same reference, gone, back, expired; and who looks after them.
import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { DriverError } from '../../lambdas/domain/errors.ts';
import type { ProvisioningStatus } from '../../lambdas/domain/statuses.ts';
import { CertificateCopies, copyIdOf, copyKey } from '../../lambdas/drivers/certificates/certificate-copies.ts';
import { LocalCertificates } from '../../lambdas/drivers/certificates/local-certificates.ts';
import { SqliteTable } from '../../lambdas/drivers/table/sqlite.ts';
import type { Table } from '../../lambdas/drivers/table/table.ts';
import { lookAfterCertificates } from '../../lambdas/housekeeping/certificate-references.ts';
import { readCertificateReferences } from '../../lambdas/repositories/certificate-references.ts';
import { commitApplied } from '../../lambdas/repositories/commits.ts';
import { commitDeleted } from '../../lambdas/repositories/erasures.ts';
import { loadBalancerKey, partitionOf } from '../../lambdas/repositories/keys.ts';
import { readChild, readLoadBalancer, readTree } from '../../lambdas/repositories/trees.ts';
import { InProcessApi, projectId } from '../support/in-process-api.ts';
import * as bundled from '../support/pkcs12-bundles.ts';
import {
  containerRef,
  keepCertificate,
  keepSecret,
  makeUserAuthority,
  secretRef,
  type UserAuthority,
} from '../support/user-certificates.ts';

let one: UserAuthority;
let other: UserAuthority;
beforeAll(async () => {
  [one, other] = await Promise.all([makeUserAuthority('one'), makeUserAuthority('other')]);
});

type Shown = Record<string, any>;

/** A key manager that can be away. */
class AbsentCertificates extends LocalCertificates {
  isAway = false;
  override async get(reference: string, project: string) {
    if (this.isAway) throw new DriverError('no answer', { isTransient: true });
    return super.get(reference, project);
  }
}

let table: SqliteTable;
let api: InProcessApi;
let source: AbsentCertificates;
let loadBalancer: Shown;
beforeEach(async () => {
  table = new SqliteTable({ path: ':memory:' });
  api = new InProcessApi({ table });
  source = new AbsentCertificates({ table, sealer: api.services.sealer });
  Object.assign(api.services, { certificateSource: source });
  await keepCertificate(source, 1, projectId, one);
  loadBalancer = await api.createLoadBalancer();
});

const listenerOn = (given: Shown = {}): Promise<Shown> =>
  api.createListener(loadBalancer, {
    protocol: 'TERMINATED_HTTPS',
    protocol_port: 443,
    default_tls_container_ref: containerRef(1),
    ...given,
  });
const inForce = async (given: Shown = {}): Promise<Shown> => {
  const listener = await listenerOn(given);
  await api.settle(loadBalancer);
  api.services.queue.sent.length = 0;
  return listener;
};
/** A round of housekeeping a minute later: what it had applied, and what it told. */
async function round() {
  const { queue, events, clock } = api.services;
  clock.turn(60_000);
  queue.sent.length = 0;
  events.published.length = 0;
  await lookAfterCertificates(api.services);
  const news = events.published.filter(({ type }) => type.startsWith('certificate')).map(({ type }) => type);
  return { sent: queue.sent.map(({ message }) => message.body), news };
}
const nothing = { sent: [], news: [] };
const again = () => ({ load_balancer_id: loadBalancer['id'], is_lost: true });
const served = (reference = containerRef(1)) =>
  new CertificateCopies({ table, sealer: api.services.sealer, source: null }).get(reference, projectId);
const statusOf = async ({ id }: Shown) => (await readChild(table, 'listener', id))?.provisioning_status;
const setStatus = (listener: Shown, provisioning_status: ProvisioningStatus) =>
  table.transact([
    {
      kind: 'update',
      key: { pk: partitionOf(loadBalancer['id']), sk: `LISTENER#${listener['id']}` },
      set: { provisioning_status },
    },
  ]);
const lose = (reference: string) =>
  table.transact([{ kind: 'delete', key: { pk: `CONTAINER#${reference.slice(-36)}`, sk: 'KEY-MANAGER' } }]);

it('who has no certificates costs one read of nothing', async () => {
  const reads: unknown[] = [];
  const counting = new Proxy(table, {
    get: (target, name) => {
      const value = target[name as keyof Table];
      return typeof value !== 'function'
        ? value
        : (...given: never[]) => {
            reads.push([name, ...given]);
            return (value as (...all: never[]) => unknown).apply(target, given);
          };
    },
  });
  await api.createListener(loadBalancer);
  expect(await lookAfterCertificates({ ...api.services, table: counting })).toBe(0);
  expect(reads).toEqual([['query', { pk: 'CERTIFICATES', after: undefined }]]);
});

describe('a certificate in use', () => {
  it('that stays as it is is left alone', async () => {
    await inForce();
    expect(await round()).toEqual(nothing);
    expect(await round()).toEqual(nothing);
  });

  it('is served from a copy that is sealed', async () => {
    await inForce();
    expect((await served()).private_key).toBe(one.private_key);
    const items = await readCertificateReferences(table);
    const id = copyIdOf({ kind: 'certificate', project_id: projectId, reference: containerRef(1) });
    const text = JSON.stringify([...items.copies.values(), items.uses, await table.get(copyKey(id))]);
    expect(text).toContain(id);
    expect(text).not.toContain('PRIVATE KEY');
  });

  it('that was replaced under its reference is applied once', async () => {
    await inForce();
    await round();
    await keepCertificate(source, 1, projectId, other);
    expect(await round()).toMatchObject({ sent: [again()], news: [] });
    expect((await served()).certificate).toBe(other.certificate);
    expect(await round()).toEqual(nothing);
  });

  it('that was replaced before anybody looked is applied as well', async () => {
    await inForce();
    await keepCertificate(source, 1, projectId, other);
    expect((await round()).sent).toMatchObject([again()]);
  });

  it('is applied for each load balancer that uses it, and asked for once', async () => {
    await inForce();
    const second = await api.createLoadBalancer();
    const tls = { protocol: 'TERMINATED_HTTPS', default_tls_container_ref: containerRef(1) };
    await api.createListener(second, tls);
    await api.settle(second);
    await round();
    await keepCertificate(source, 1, projectId, other);
    const ids = (await round()).sent.map((body) => (body as Shown)['load_balancer_id']);
    expect(ids.toSorted()).toEqual([loadBalancer['id'], second['id']].toSorted());
  });

  it('that is gone goes on being served, and that is told once; so is that it is back', async () => {
    await inForce();
    await round();
    await lose(containerRef(1));
    expect(await round()).toEqual({ sent: [], news: ['certificate_unreadable'] });
    expect(await round()).toEqual(nothing);
    expect((await served()).certificate).toBe(one.certificate);
    await keepCertificate(source, 1, projectId, one);
    expect((await round()).news).toEqual(['certificate_readable']);
    expect(await round()).toEqual(nothing);
  });

  it('is not called gone when its place does not answer', async () => {
    await inForce();
    await round();
    source.isAway = true;
    expect(await round()).toEqual(nothing);
    source.isAway = false;
    expect(await round()).toEqual(nothing);
  });

  it('waits for its turn while something else is done to the load balancer', async () => {
    await inForce();
    await round();
    await keepCertificate(source, 1, projectId, other);
    await api.settle(loadBalancer, 'PENDING_UPDATE');
    expect(await round()).toEqual(nothing);
    await api.settle(loadBalancer);
    expect((await round()).sent).toMatchObject([again()]);
  });

  it('is taken though it has expired, and that is told once', async () => {
    await keepSecret(source, 5, projectId, bundled.expired);
    api.services.clock.turn(Date.parse('2027-06-01') - api.services.clock.now());
    await inForce({ default_tls_container_ref: secretRef(5) });
    expect(await round()).toEqual({ sent: [], news: ['certificate_expired'] });
    expect(await round()).toEqual(nothing);
  });

  it.each(['client_ca_tls_container_ref', 'sni_container_refs'])('is looked after as %s too', async (name) => {
    const isAuthority = name === 'client_ca_tls_container_ref';
    await keepSecret(source, 7, projectId, one.certificate + (isAuthority ? '' : one.private_key));
    await inForce({ [name]: isAuthority ? secretRef(7) : [secretRef(7)] });
    await round();
    await keepSecret(source, 7, projectId, other.certificate + (isAuthority ? '' : other.private_key));
    expect((await round()).sent).toMatchObject([again()]);
  });

  it('is looked after for pools too', async () => {
    await api.createPool(loadBalancer, { tls_enabled: true, tls_container_ref: containerRef(1) });
    await api.settle(loadBalancer);
    await round();
    await keepCertificate(source, 1, projectId, other);
    expect((await round()).sent).toMatchObject([again()]);
  });
});

describe('a listener in ERROR', () => {
  /** As when its certificate was away while it was applied. */
  const broken = async () => {
    const listener = await inForce();
    await lose(containerRef(1));
    await setStatus(listener, 'ERROR');
    const set = { amphora_ids: ['an-amphora'] };
    await table.transact([{ kind: 'update', key: loadBalancerKey(loadBalancer['id']), set }]);
    return listener;
  };

  it('is tried again when its certificate is back, and becomes ACTIVE', async () => {
    const listener = await broken();
    expect((await round()).sent).toEqual([]);
    expect(await statusOf(listener)).toBe('ERROR');
    await keepCertificate(source, 1, projectId, one);
    const { generation } = (await readLoadBalancer(table, loadBalancer['id']))!;
    expect((await round()).sent).toEqual([{ load_balancer_id: loadBalancer['id'], generation: generation + 1 }]);
    expect(await statusOf(listener)).toBe('PENDING_UPDATE');
    const tree = (await readTree(table, loadBalancer['id']))!;
    const outcome = { generation: generation + 1, refused: new Map<string, string>() };
    await commitApplied(api.services, tree, outcome, { operation_timeout_ms: 1 });
    expect(await statusOf(listener)).toBe('ACTIVE');
    expect(await round()).toEqual(nothing);
  });

  it('is left alone while its load balancer is in ERROR, which would be built or failed over by a write', async () => {
    const listener = await broken();
    await keepCertificate(source, 1, projectId, one);
    const set = { provisioning_status: 'ERROR', failed: 'failover' };
    await table.transact([{ kind: 'update', key: loadBalancerKey(loadBalancer['id']), set }]);
    expect((await round()).sent).toEqual([]);
    expect((await readLoadBalancer(table, loadBalancer['id']))?.operation).toBeNull();
    await api.settle(loadBalancer);
    await setStatus(listener, 'ERROR');
    expect((await round()).sent).toHaveLength(1);
  });

  it('that the amphorae refuse for another reason is not tried again and again', async () => {
    const listener = await inForce();
    await setStatus(listener, 'ERROR');
    await round();
    await api.settle(loadBalancer);
    await setStatus(listener, 'ERROR');
    expect(await round()).toEqual(nothing);
    expect(await statusOf(listener)).toBe('ERROR');
  });
});

describe('what is known of certificates', () => {
  const known = async () => {
    const { uses, copies } = await readCertificateReferences(table);
    return [uses.length, copies.size];
  };

  it('is forgotten when nobody uses them any more', async () => {
    const listener = await inForce();
    expect(await known()).toEqual([1, 1]);
    await api.made('PUT', `listeners/${listener['id']}`, {
      listener: { default_tls_container_ref: null, sni_container_refs: [containerRef(1)] },
    });
    expect(await known()).toEqual([1, 1]);
    await api.ask('DELETE', `listeners/${listener['id']}`);
    const tree = (await readTree(table, loadBalancer['id']))!;
    const outcome = { generation: tree.loadBalancer.generation, refused: new Map<string, string>() };
    await commitApplied(api.services, tree, outcome, { operation_timeout_ms: 1 });
    expect(await known()).toEqual([0, 1]);
    for (let minute = 0; minute < 11; minute++) await round();
    expect(await known()).toEqual([0, 0]);
    await expect(served()).rejects.toThrow('cannot be read');
  });

  it('is kept of what is served on while a change is refused, and no longer', async () => {
    const listener = await inForce();
    await keepCertificate(source, 2, projectId, other);
    const change = async (default_tls_container_ref: string, refused: [string, string][]) => {
      await api.made('PUT', `listeners/${listener['id']}`, { listener: { default_tls_container_ref } });
      const tree = (await readTree(table, loadBalancer['id']))!;
      const outcome = { generation: tree.loadBalancer.generation, refused: new Map(refused) };
      await commitApplied(api.services, tree, outcome, { operation_timeout_ms: 1 });
      for (let minute = 0; minute < 12; minute++) await round();
    };
    await change(containerRef(2), [[listener['id'], 'ee key too small']]);
    expect((await served()).certificate).toBe(one.certificate);
    expect(await known()).toEqual([1, 2]);
    await change(containerRef(2), []);
    await expect(served()).rejects.toThrow('cannot be read');
    expect(await known()).toEqual([1, 1]);
  });

  it('goes with the load balancer', async () => {
    await inForce();
    await table.transact([
      { kind: 'update', key: loadBalancerKey(loadBalancer['id']), set: { provisioning_status: 'PENDING_DELETE' } },
    ]);
    await commitDeleted(api.services, (await readTree(table, loadBalancer['id']))!);
    expect(await known()).toEqual([0, 1]);
  });

  it('is written for a load balancer that is made with its listeners', async () => {
    await api.createLoadBalancer({
      listeners: [
        { name: 'tls', protocol: 'TERMINATED_HTTPS', protocol_port: 443, default_tls_container_ref: containerRef(1) },
      ],
    });
    expect(await known()).toEqual([1, 1]);
  });

  it('is not changed by a dry run', async () => {
    const listener = {
      loadbalancer_id: loadBalancer['id'],
      protocol: 'TERMINATED_HTTPS',
      protocol_port: 444,
      default_tls_container_ref: containerRef(1),
    };
    const { status } = await api.ask('POST', '/v2.0/lbaas/listeners?dry_run=true', { listener });
    expect(status).toBe(200);
    expect(await known()).toEqual([0, 0]);
  });
});
