// The interpreter runs a closed subset of the Amazon States Language. What it does not know it refuses when the flow is
// loaded: a field that is silently ignored here would work differently on AWS.

/** A definition that is not run; says which file, state and field. */
export class FlowRefused extends Error {
  override readonly name = 'FlowRefused';
}

/** Where in which file we are, for the text of a refusal. */
export interface Place {
  file: string;
  /** undefined: the top of the file. */
  state?: string;
}

export type Json = Record<string, unknown>;

export function refuse(place: Place, field: string, why: string): never {
  const state = place.state === undefined ? '' : ` state ${place.state}:`;
  throw new FlowRefused(`${place.file}:${state} field ${field}: ${why}`);
}

export function asObject(place: Place, field: string, value: unknown): Json {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) refuse(place, field, 'must be an object');
  return value as Json;
}

/** @throws FlowRefused for any field that is not in `known` */
export function onlyKnown(place: Place, value: Json, known: readonly string[], within = ''): void {
  const unknown = Object.keys(value).find((field) => !known.includes(field));
  if (unknown !== undefined) refuse(place, within + unknown, 'is not supported');
}

export function asString(place: Place, field: string, value: unknown): string {
  if (typeof value !== 'string' || value === '') refuse(place, field, 'must be a text');
  return value;
}

export function asStrings(place: Place, field: string, value: unknown): string[] {
  if (!Array.isArray(value) || value.length === 0) refuse(place, field, 'must be a list of texts');
  return value.map((entry) => asString(place, field, entry));
}

export function asNumber(place: Place, field: string, value: unknown, minimum: number, fallback: number): number {
  if (value === undefined) return fallback;
  if (typeof value !== 'number' || !(value >= minimum)) refuse(place, field, `must be a number of at least ${minimum}`);
  return value;
}

/** Replaces `${Name}`; a name without a substitution is refused, on AWS it would be a warning nobody reads. */
export function substitute(place: Place, field: string, value: unknown, names: Record<string, string>): unknown {
  if (typeof value === 'string') {
    return value.replace(/\$\{([^}]*)\}/g, (placeholder, name: string) =>
      Object.hasOwn(names, name) ? (names[name] as string) : refuse(place, field, `${placeholder} has no substitution`),
    );
  }
  if (Array.isArray(value)) return value.map((entry) => substitute(place, field, entry, names));
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, child]) => {
      const within = field === 'States' ? { ...place, state: key } : place;
      return [key, substitute(within, key, child, names)];
    }),
  );
}
