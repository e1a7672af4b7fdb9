// Names by which a resource may be filtered and sorted.
import type { Attributes, Resource } from '../../domain/resource.ts';

const always = [
  'id',
  'name',
  'project_id',
  'provisioning_status',
  'operating_status',
  'created_at',
  'updated_at',
  'admin_state_up',
  'description',
];

/** Scalar attributes of a resource, and those every resource has. */
export const scalarNames = <A extends Attributes>(resource: Resource<A>, more: string[] = []): string[] => [
  ...always,
  ...Object.keys(resource.attributes),
  ...more,
];
