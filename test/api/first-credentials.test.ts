import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import type { CloudFormationCustomResourceEvent } from 'aws-lambda';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { defaultDomainId } from '../../lambdas/domain/identity.ts';
import { firstCredentialsHandler } from '../../lambdas/identity/first-credentials.ts';
import { hashPassword, passwordFits } from '../../lambdas/identity/passwords.ts';
import { changePassword, findProjectByName, findUserByName } from '../../lambdas/repositories/identities.ts';
import { type TestServices, testServices } from '../support/services.ts';

/** What CloudFormation heard. */
let told: Record<string, unknown>[];
let server: Server;
let services: TestServices;
beforeEach(async () => {
  services = testServices();
  told = [];
  server = createServer(async (request, response) => {
    told.push(JSON.parse(await text(request)));
    response.end();
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
});
afterEach(() => void server.close());

const stack = { StackId: 'a stack', RequestId: 'a request', LogicalResourceId: 'FirstCredentials' };
const event = (RequestType: 'Create' | 'Update' | 'Delete') => {
  const { port } = server.address() as AddressInfo;
  const ResponseURL = `http://127.0.0.1:${port}/response`;
  return { ...stack, RequestType, ResponseURL } as unknown as CloudFormationCustomResourceEvent;
};
const admin = () => findUserByName(services.table, defaultDomainId, 'admin');
const secret = async () => '{"username":"admin","password":"made at random"}';

test('the first deployment makes an administrator with the password of the secret, and nobody else', async () => {
  await firstCredentialsHandler(services, secret)(event('Create'));
  expect(await passwordFits('made at random', (await admin())!.password)).toBe(true);
  expect(await findUserByName(services.table, defaultDomainId, 'demo')).toBeUndefined();
  expect(await findProjectByName(services.table, defaultDomainId, 'demo')).toBeUndefined();
  expect(told).toEqual([{ ...stack, Status: 'SUCCESS', PhysicalResourceId: 'first-credentials' }]);
});

test('a later deployment leaves a password that was changed as it is', async () => {
  const handle = firstCredentialsHandler(services, secret);
  await handle(event('Create'));
  await changePassword(services.table, (await admin())!.id, await hashPassword('my own'), services.clock.now());
  await handle(event('Update'));
  expect(await passwordFits('my own', (await admin())!.password)).toBe(true);
  expect(told.map(({ Status }) => Status)).toEqual(['SUCCESS', 'SUCCESS']);
});

test('whoever deploys reads why the credentials could not be made', async () => {
  const handle = firstCredentialsHandler(services, () => Promise.reject(new Error('secret x cannot be read')));
  await handle(event('Create'));
  expect(told).toEqual([expect.objectContaining({ Status: 'FAILED', Reason: 'secret x cannot be read' })]);
  expect(await admin()).toBeUndefined();
});

test('the end of a deployment leaves the users in the table', async () => {
  const handle = firstCredentialsHandler(services, secret);
  await handle(event('Create'));
  await handle(event('Delete'));
  expect(await admin()).toBeDefined();
  expect(told.at(-1)).toMatchObject({ Status: 'SUCCESS' });
});
