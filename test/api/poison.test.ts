// One message that makes no sense does not keep the others of its batch from being taken in.
import { expect, it } from 'vitest';
import { heartbeatsHandler } from '../../lambdas/health-manager/heartbeats.ts';
import { BeatingAmphora } from '../support/heartbeats.ts';
import { usePlane } from '../support/planes.ts';
import { tables } from '../support/tables.ts';

const given = usePlane(tables[0]!.make);

it.each(['no JSON', '{"amphora_id":1}', 'null'])('takes in the heartbeat beside %s', async (poison) => {
  const lb = await given.api.createLoadBalancer();
  await given.plane.settle();
  const amphora = await BeatingAmphora.of(given.plane, lb['id']);
  const record = (messageId: string, body: string) => ({ messageId, body });
  const batch = {
    Records: [record('poison', poison), record('good', JSON.stringify(amphora.signed(amphora.beat())))],
  };
  const answer = await heartbeatsHandler(given.plane.services)(batch as never);
  expect(answer.batchItemFailures.map(({ itemIdentifier }) => itemIdentifier)).not.toContain('good');
});

it('takes in the heartbeat beside one whose payload is no text', async () => {
  const lb = await given.api.createLoadBalancer();
  await given.plane.settle();
  const other = await given.api.createLoadBalancer();
  await given.plane.settle();
  const amphora = await BeatingAmphora.of(given.plane, lb['id']);
  const bad = await BeatingAmphora.of(given.plane, other['id']);
  const record = (messageId: string, body: unknown) => ({ messageId, body: JSON.stringify(body) });
  const batch = {
    Records: [
      record('poison', { amphora_id: bad.id, payload: 1, hmac: '' }),
      record('good', amphora.signed(amphora.beat())),
    ],
  };
  const answer = await heartbeatsHandler(given.plane.services)(batch as never);
  expect(answer.batchItemFailures.map(({ itemIdentifier }) => itemIdentifier)).not.toContain('good');
});
