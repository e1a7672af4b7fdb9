// What every resource has in the table besides its own attributes.
import type { OperatingStatus, ProvisioningStatus } from './statuses.ts';
import { timestamp } from './time.ts';

export interface Row {
  id: string;
  load_balancer_id: string;
  project_id: string;
  provisioning_status: ProvisioningStatus;
  operating_status: OperatingStatus;
  created_at: string;
  updated_at: string | null;
  /** Generation of the load balancer that wrote this row last: in force once the amphorae have that generation. */
  generation: number;
  /** Attributes as the amphorae had them before the change that is pending: what is rendered if they refuse the change. */
  last_good?: Record<string, unknown>;
  /** Why provisioning_status is ERROR. */
  reason?: string;
  /**
   * What it was PENDING for when its load balancer ended in ERROR, and it with it. Nobody refused it: it goes into force with
   * whatever heals the load balancer.
   */
  waits_for?: ProvisioningStatus;
}

/** The row as who works on it has to see it: what was left behind in ERROR is still PENDING. */
export const asWanted = <R extends Row>(row: R): R =>
  row.waits_for === undefined ? row : { ...row, provisioning_status: row.waits_for };

/** A row as it is the moment its resource is asked for. @param now milliseconds since the epoch */
export const newRow = (id: string, load_balancer_id: string, project_id: string, now: number): Row => ({
  id,
  load_balancer_id,
  project_id,
  provisioning_status: 'PENDING_CREATE',
  operating_status: 'OFFLINE',
  created_at: timestamp(now),
  updated_at: null,
  generation: 0,
});

export interface IdRef {
  id: string;
}
export const refs = (ids: readonly string[]): IdRef[] => ids.map((id) => ({ id }));

/** The two spellings clients read of the owner. */
export const owner = (row: { project_id: string }) => ({ project_id: row.project_id, tenant_id: row.project_id });
