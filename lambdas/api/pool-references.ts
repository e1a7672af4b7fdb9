// Pools within the body of a fully populated create: described in one place, named in any number of others.
import { invalid } from '../domain/errors.ts';

export type Given = Record<string, unknown>;

export const nameOf = ({ name }: Given): string => (typeof name === 'string' ? name : '');

/** A pool with nothing but its name, and what Octavia fills in by itself, refers to one that is described elsewhere. */
const isReference = (given: Given): boolean =>
  Object.keys(given).every((key) => key === 'name' || key === 'admin_state_up' || key === 'tls_enabled');

const isObject = (value: unknown): value is Given =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Pools that listeners and their policies send to, as the body has them; what is no object is refused where it is parsed. */
function usedIn(listeners: Given[]): Given[] {
  return listeners.flatMap((one) => {
    const policies = Array.isArray(one['l7policies']) ? one['l7policies'].filter(isObject) : [];
    return [one['default_pool'], ...policies.map((policy) => policy['redirect_pool'])].filter(isObject);
  });
}

/** All pools that are described, those beside the listeners first. @throws ApiError 400 */
export function hoisted(listeners: Given[], pools: Given[]): Given[] {
  const used = usedIn(listeners);
  const described = [...pools, ...used.filter((given) => !isReference(given))];
  if ([...used, ...pools].some((given) => nameOf(given) === '')) {
    throw invalid('Pools must be named when creating a fully populated loadbalancer.');
  }
  const names = new Set(described.map(nameOf));
  if (names.size < described.length) {
    throw invalid('Pool names must be unique when creating a fully populated loadbalancer.');
  }
  const lost = used.find((given) => !names.has(nameOf(given)));
  if (lost !== undefined) throw invalid(`Pool '${nameOf(lost)}' was referenced but no full definition was found.`);
  return described;
}
