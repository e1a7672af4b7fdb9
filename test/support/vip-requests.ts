// What a test asks a network driver for, when only part of it matters.
import { randomUUID } from 'node:crypto';
import type { VipRequest } from '../../lambdas/drivers/network/network-driver.ts';

export const wanted = (request: Partial<VipRequest>): VipRequest => ({
  load_balancer_id: randomUUID(),
  project_id: 'p',
  address: null,
  port_id: null,
  subnet_id: null,
  network_id: null,
  additional_vips: [],
  ...request,
});
