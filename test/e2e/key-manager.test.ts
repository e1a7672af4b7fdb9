// Certificates on their way from a user's files to a load balancer, through the service as it runs: by OpenStack's own client, and in
// the bytes that other clients send.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hasKeyManagerClient, keyManagerCommand } from '../support/key-manager-client.ts';
import { LocalService } from '../support/local-service.ts';
import * as bundled from '../support/pkcs12-bundles.ts';

/** Each command is a process that logs in and asks for the versions first. */
const generousMs = 240_000;
const bundle = Buffer.from(Object.values(bundled.bundles)[0]!, 'base64');

let service: LocalService;
beforeAll(async () => {
  service = await LocalService.start();
}, generousMs);
afterAll(() => service[Symbol.asyncDispose]());

const https = (reference: string) => ({ protocol: 'TERMINATED_HTTPS', default_tls_container_ref: reference });

async function token(): Promise<string> {
  const { auth_url, username, password, project_name } = service.ready;
  const domain = { id: 'default' };
  const identity = { methods: ['password'], password: { user: { name: username, domain, password } } };
  const body = JSON.stringify({ auth: { identity, scope: { project: { name: project_name, domain } } } });
  const answer = await fetch(`${auth_url}/auth/tokens`, { method: 'POST', body });
  return answer.headers.get('x-subject-token')!;
}

it('a bundle sent as bytes comes back as bytes, serves a listener that is its consumer, and is missed when it is gone', {
  timeout: generousMs,
}, async () => {
  const headers = { 'x-auth-token': await token() };
  const { endpoint } = service.ready;
  const json = { ...headers, 'content-type': 'application/json' };
  const secrets = `${endpoint}/key-manager/v1/secrets`;
  const made = await fetch(secrets, { method: 'POST', headers: json, body: '{"name":"tls"}' });
  const { secret_ref } = (await made.json()) as { secret_ref: string };
  const binary = { ...headers, 'content-type': 'application/octet-stream' };
  expect((await fetch(secret_ref, { method: 'PUT', headers: binary, body: bundle })).status).toBe(204);
  const payload = await fetch(`${secret_ref}/payload`, { headers });
  expect(Buffer.from(await payload.arrayBuffer()).equals(bundle)).toBe(true);

  const loadBalancer = await service.api.createLoadBalancer({});
  const listener = { loadbalancer_id: loadBalancer.id, protocol_port: 443, ...https(secret_ref) };
  const { id } = await service.api.create('listeners', listener);
  const shown = (await (await fetch(secret_ref, { headers })).json()) as { consumers: unknown[] };
  expect(shown.consumers).toEqual([{ service: 'load-balancer', resource_type: 'listener', resource_id: id }]);
  expect((await fetch(secret_ref, { method: 'DELETE', headers })).status).toBe(204);
  const again = service.api.create('listeners', { ...listener, protocol_port: 444 });
  await expect(again).rejects.toThrow(/^400 .*Could not retrieve certificate/);
});

describe.skipIf(!hasKeyManagerClient)("OpenStack's client for the key manager", { timeout: generousMs }, () => {
  const run = (command: string, ...words: string[]) =>
    keyManagerCommand(service, [...command.split(' '), ...words]).then((text) => text.trim());
  const stored = (name: string, payload: string, ...words: string[]) =>
    run('secret store -f value -c', 'Secret href', '--name', name, '--payload', payload, ...words);

  it('stores a PKCS#12 bundle as Octavia’s guide has it, and gets it back', async () => {
    const words = ['--payload-content-type', 'application/octet-stream', '-e', 'base64'];
    const reference = await stored('bundle', bundle.toString('base64'), ...words);
    const file = join(service.temporary, 'back.p12');
    await run('secret get --payload_content_type application/octet-stream --file', file, reference);
    expect(readFileSync(file).equals(bundle)).toBe(true);
    expect(await run('secret list --name bundle -f value -c', 'Secret href')).toBe(reference);
    await run('secret delete', reference);
    await expect(run('secret get', reference)).rejects.toThrow('Not Found: Secret not found.');
  });

  it('makes a certificate container of PEM, and knows who uses a secret', async () => {
    const text = ['--payload-content-type', 'text/plain', '--secret-type'];
    const certificate = await stored('certificate', bundled.certificate, ...text, 'certificate');
    const key = await stored('key', bundled.privateKey, ...text, 'private');
    const container = await run(
      'secret container create --name tls --type certificate -f value -c',
      ...['Container href', '--secret', `certificate=${certificate}`, '--secret', `private_key=${key}`],
    );
    const both = await stored('both', `${bundled.certificate}\n${bundled.privateKey}`, ...text, 'opaque');
    await run('acl user add --user nobody --operation-type read', both);
    const loadBalancer = await service.api.createLoadBalancer({});
    const listener = { loadbalancer_id: loadBalancer.id, protocol_port: 443, ...https(container) };
    await service.api.create('listeners', { ...listener, sni_container_refs: [both] });
    expect(await run('secret container get -f value -c Consumers', container)).toContain('/v2.0/lbaas/listeners/');
    // It is the client that looks whether somebody uses a secret, since it has --force.
    if ((await run('secret delete --help')).includes('--force')) {
      await expect(run('secret delete', both)).rejects.toThrow('Secret cannot be deleted as it has consumers');
    } else {
      process.stdout.write('  this client deletes secrets that are in use without a question\n');
    }
  });
});
