// EC2 tells of every machine of the account. A sqlite table takes keys that DynamoDB refuses, so here none is asked at all.
import { expect, it } from 'vitest';
import type { Compute } from '../../lambdas/drivers/compute/compute-driver.ts';
import { computeEventHandler } from '../../lambdas/health-manager/compute-event.ts';
import { testServices } from '../support/services.ts';

it('news of a machine that is no amphora are passed over, without a look at the table', async () => {
  const services = testServices();
  const stranger: Compute = {
    compute_id: 'i-0123',
    amphora_id: '',
    state: 'GONE',
    lb_network_ip: null,
    zone: 'eu-central-1a',
    image_id: 'ami-0123',
  };
  const asked: (string | symbol)[] = [];
  const table = new Proxy(services.table, {
    get(target, method, receiver) {
      asked.push(method);
      return Reflect.get(target, method, receiver);
    },
  });
  const compute = Object.assign(Object.create(services.compute), { get: async () => stranger });
  const event = { detail: { 'instance-id': 'i-0123', state: 'terminated' } };
  expect(await computeEventHandler({ ...services, compute, table })(event)).toEqual({ failed_over: 0 });
  expect(asked).toEqual([]);
});
