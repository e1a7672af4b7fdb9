// Certificates between acceptance and amphorae: how often they are read, what a broken reference does, and two amphorae that refuse.
import { expect, it } from 'vitest';
import type { CertificateManager } from '../../lambdas/drivers/certificates/certificate-manager.ts';
import { CertificateUnreadable } from '../../lambdas/drivers/certificates/certificate-manager.ts';
import { SqliteTable } from '../../lambdas/drivers/table/sqlite.ts';
import type { Shown } from '../support/octavia-api.ts';
import { projects } from '../support/personas.ts';
import { usePlane } from '../support/planes.ts';
import {
  containerRef,
  keepCertificate,
  keepSecret,
  makeUserAuthority,
  secretRef,
} from '../support/user-certificates.ts';

const one = await makeUserAuthority('one');
const other = await makeUserAuthority('other');
const given = usePlane(async () => new SqliteTable({ path: ':memory:' }), { config: { topology: 'ACTIVE_STANDBY' } });

/** The manager of the plane, which counts and of which some references break. */
async function prepared() {
  const { certificates } = given.plane.services;
  await keepCertificate(certificates, 1, projects.own, one);
  await keepCertificate(certificates, 2, projects.own, other);
  await keepSecret(certificates, 3, projects.own, one.certificate);
  await keepSecret(certificates, 4, projects.own, one.revocation_list);
  const asked: string[] = [];
  const broken = new Map<string, Error>();
  const watched: CertificateManager = {
    async get(reference, projectId) {
      asked.push(reference);
      if (broken.has(reference)) throw broken.get(reference);
      return certificates.get(reference, projectId);
    },
    async getAuthority(reference, revocation, projectId) {
      asked.push(reference);
      if (broken.has(reference)) throw broken.get(reference);
      return certificates.getAuthority(reference, revocation, projectId);
    },
  };
  (given.plane.services as { certificates: CertificateManager }).certificates = watched;
  const lb = await given.api.createLoadBalancer();
  await given.plane.settle();
  return { lb, asked, broken };
}

const https = { protocol: 'TERMINATED_HTTPS', default_tls_container_ref: containerRef(1) };
const lost = (reference: string) => new CertificateUnreadable([reference]);
const statusOf = async (listener: Shown): Promise<string> =>
  (await given.api.show(`listeners/${listener['id']}`))['provisioning_status'];
const textOf = (lb: Shown) => given.plane.amphorae.textOf(lb['id']);
const digestIn = (lb: Shown) => /default\.pem (\S+)/.exec(textOf(lb))?.[1];
const reasonsOf = (id: string) =>
  given.plane.services.events.published
    .filter((event) => JSON.stringify(event).includes(id))
    .map((event) => JSON.stringify(event));

it('reads each reference once for both amphorae of a pair, however many name it and however often it is rendered', async () => {
  const { lb, asked } = await prepared();
  given.plane.queue.isHeld = true;
  const trust = { client_ca_tls_container_ref: secretRef(3), client_crl_container_ref: secretRef(4) };
  for (const protocol_port of [443, 444]) await given.api.createListener(lb, { ...https, ...trust, protocol_port });
  given.plane.amphorae.faulty = 'no such text';
  await given.api.createListener(lb, { protocol: 'UDP', protocol_port: 53 });
  asked.length = 0;
  given.plane.queue.release();
  await given.plane.settle();
  expect(asked.toSorted()).toEqual([containerRef(1), secretRef(3)].toSorted());
  const [first, second] = given.plane.amphorae.pushesOf(lb['id']).slice(-2);
  expect(first!.files!.map(({ digest }) => digest)).toEqual(second!.files!.map(({ digest }) => digest));
  expect(textOf(lb)).not.toContain('PRIVATE KEY');
});

it('a reference that broke after it was accepted puts its listener alone in ERROR, with a reason that names it', async () => {
  const { lb, broken } = await prepared();
  const good = await given.api.createListener(lb, { ...https, protocol_port: 443 });
  given.plane.queue.isHeld = true;
  const bad = await given.api.createListener(lb, {
    ...https,
    protocol_port: 444,
    default_tls_container_ref: containerRef(2),
  });
  broken.set(containerRef(2), lost(containerRef(2)));
  given.plane.queue.release();
  await given.plane.settle();
  expect([await statusOf(good), await statusOf(bad)]).toEqual(['ACTIVE', 'ERROR']);
  expect((await given.api.show(`loadbalancers/${lb['id']}`))['provisioning_status']).toBe('ACTIVE');
  expect(textOf(lb)).toContain(':443 ssl');
  expect(textOf(lb)).not.toContain(':444');
  expect(reasonsOf(bad['id']).some((text) => text.includes(`cannot be read: ${containerRef(2)}`))).toBe(true);
});

it('a listener whose new reference broke goes on with what it had; when that is broken too it is out', async () => {
  const { lb, broken } = await prepared();
  const listener = await given.api.createListener(lb, { ...https, protocol_port: 443 });
  await given.plane.settle();
  const before = digestIn(lb);
  const change = async (default_tls_container_ref: string) => {
    given.plane.queue.isHeld = true;
    await given.api.expect(
      200,
      given.api.put(`listeners/${listener['id']}`, { listener: { default_tls_container_ref } }),
    );
    broken.set(containerRef(2), lost(containerRef(2)));
    given.plane.queue.release();
    await given.plane.settle();
  };
  await change(containerRef(2));
  expect(await statusOf(listener)).toBe('ERROR');
  expect(digestIn(lb)).toBe(before);
  broken.set(containerRef(1), lost(containerRef(1)));
  await given.api.createPool({ loadbalancer_id: lb['id'] });
  await given.plane.settle();
  expect(await statusOf(listener)).toBe('ERROR');
  expect(textOf(lb)).not.toContain('bind');
  broken.clear();
  await change(containerRef(1));
  expect(await statusOf(listener)).toBe('ACTIVE');
  expect(digestIn(lb)).toBe(before);
});

it('a certificate manager that cannot be asked is asked again, and nobody is in ERROR', async () => {
  const { lb, broken } = await prepared();
  given.plane.queue.isHeld = true;
  const listener = await given.api.createListener(lb, { ...https, protocol_port: 443 });
  broken.set(containerRef(1), new Error('throttled'));
  setTimeout(() => broken.clear(), 100);
  given.plane.queue.release();
  await given.plane.settle();
  expect(await statusOf(listener)).toBe('ACTIVE');
});

it('two amphorae that refuse the same listener put nothing else in ERROR', async () => {
  const { lb } = await prepared();
  given.plane.queue.isHeld = true;
  given.plane.amphorae.faulty = ':6666';
  const bad = await given.api.createListener(lb, { protocol_port: 6666 });
  const good = await given.api.createListener(lb, { protocol_port: 80 });
  given.plane.queue.release();
  await given.plane.settle();
  expect([await statusOf(bad), await statusOf(good)]).toEqual(['ERROR', 'ACTIVE']);
});
