// Names by which a resource may be filtered and sorted.
import { schemaOf } from '../../domain/attribute-kind.ts';
import type { Attributes, Resource } from '../../domain/resource.ts';

const always = ['id', 'provisioning_status', 'operating_status', 'created_at', 'updated_at'];

const isScalar = ({ type }: Attributes[string]): boolean => {
  const { type: values } = schemaOf(type);
  return values !== 'array' && values !== 'object';
};

/** Scalar attributes of a resource, and those every resource has. */
export const scalarNames = <A extends Attributes>({ attributes }: Resource<A>, more: string[] = []): string[] => [
  ...always,
  ...Object.keys(attributes).filter((name) => isScalar(attributes[name]!)),
  ...more,
];
