// What an amphora refused was one generation of a resource; a later one has not been judged.
import { expect, it } from 'vitest';
import { ConfigurationRefused } from '../../lambdas/drivers/amphora/amphora-driver.ts';
import { readTree } from '../../lambdas/repositories/trees.ts';
import { FlowWorld } from '../support/flow-world.ts';

it('a listener that is mended while its load balancer is being created is in force in the end', async () => {
  const world = new FlowWorld();
  const push = world.outside.amphora.pushConfiguration.bind(world.outside.amphora);
  world.outside.amphora.pushConfiguration = async (amphora, configuration) => {
    const line = configuration.text.split('\n').findIndex((one) => one.includes('timeout client 50000')) + 1;
    if (line > 0)
      throw new ConfigurationRefused({
        error: 'invalid',
        http_code: 400,
        message: 'wrong',
        lines: [{ line, message: 'cannot take it' }],
      });
    return push(amphora, configuration);
  };
  const held = world.hold('create-load-balancer/ActivateLoadBalancer');
  const id = await world.create();
  await held.reached();
  const [listener] = (await readTree(world.outside.table, id))!.listeners;
  const body = { listener: { timeout_client_data: 1_000 } };
  const { status } = await world.api({ method: 'PUT', path: `/v2/lbaas/listeners/${listener!.id}`, body });
  expect(status).toBe(200);
  held.letGo();
  await world.settle();
  const tree = await readTree(world.outside.table, id);
  expect(tree!.loadBalancer.provisioning_status).toBe('ACTIVE');
  expect(tree!.listeners.map((row) => row.provisioning_status)).toEqual(['ACTIVE']);
  await world.close();
});
