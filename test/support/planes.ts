// A control plane for each test of a block, on the table the block is about.
import { beforeEach } from 'vitest';
import type { Table } from '../../lambdas/drivers/table/table.ts';
import { ControlPlane, type ControlPlaneOptions } from './control-plane.ts';
import type { OctaviaApi } from './octavia-api.ts';

export interface GivenPlane {
  plane: ControlPlane;
  /** As a member of the project everything belongs to. */
  api: OctaviaApi;
}

/** @param make an empty table; undefined where there is no engine for it */
export function usePlane(
  make: (() => Promise<Table>) | undefined,
  options: Omit<ControlPlaneOptions, 'table'> = {},
): GivenPlane {
  const given = {} as GivenPlane;
  beforeEach(async (context) => {
    if (make === undefined) return context.skip('no DynamoDB engine');
    given.plane = await ControlPlane.start({ ...options, table: await make() });
    given.api = given.plane.as();
    return () => given.plane[Symbol.asyncDispose]();
  });
  return given;
}
