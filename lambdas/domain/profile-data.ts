// The data of a profile: JSON in a string, whose keys and values its provider has to understand (Octavia checks them by a JSON
// schema, in whose words a refusal speaks).
import { ApiError } from './errors.ts';
import type { Capabilities, Capability, Provider } from './provider.ts';

export type ProfileTopic = 'flavor' | 'availability_zone';
export type ProfileData = Record<string, unknown>;

export const invalidOption = (value: string, option: string) =>
  new ApiError(400, `${value} is not a valid option for ${option}`);

/** A value as Python writes it in source code. */
function represented(value: unknown): string {
  if (value === null) return 'None';
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  if (typeof value === 'string') return `'${value}'`;
  if (Array.isArray(value)) return `[${value.map(represented).join(', ')}]`;
  if (typeof value !== 'object') return String(value);
  const entries = Object.entries(value).map(([name, one]) => `'${name}': ${represented(one)}`);
  return `{${entries.join(', ')}}`;
}

function isOfType(value: unknown, type: Capability['type']): boolean {
  if (type === 'array') return Array.isArray(value);
  return type === 'integer' ? Number.isInteger(value) : typeof value === type;
}

function outOfRange(value: unknown, { minimum = 0, maximum }: Capability): string | undefined {
  if (typeof value !== 'number' || maximum === undefined) return undefined;
  if (value < minimum) return `${value} is less than the minimum of ${minimum}`;
  return value > maximum ? `${value} is greater than the maximum of ${maximum}` : undefined;
}

const isObject = (data: unknown): data is ProfileData =>
  typeof data === 'object' && data !== null && !Array.isArray(data);

function unexpected(data: ProfileData, known: Capabilities): string | undefined {
  const names = Object.keys(data).filter((name) => !Object.hasOwn(known, name));
  if (names.length === 0) return undefined;
  const verb = names.length > 1 ? 'were' : 'was';
  return `Additional properties are not allowed (${names.map(represented).join(', ')} ${verb} unexpected)`;
}

/** What is wrong with the data, of several faults the one nearest to the root. */
function faultIn(data: unknown, known: Capabilities): string | undefined {
  if (!isObject(data)) return `${represented(data)} is not of type 'object'`;
  const stranger = unexpected(data, known);
  if (stranger !== undefined) return stranger;
  for (const [name, capability] of Object.entries(known)) {
    if (!Object.hasOwn(data, name)) continue;
    const { type, oneOf } = capability;
    const value = data[name];
    if (!isOfType(value, type)) return `${name} ${represented(value)} is not of type '${type}'`;
    if (oneOf && !oneOf.includes(value as string))
      return `${name} ${represented(value)} is not one of ${represented(oneOf)}`;
    const excess = outOfRange(value, capability);
    if (excess !== undefined) return `${name} ${excess}`;
  }
  return undefined;
}

/** @throws ApiError 501 for a key or a value the provider does not know */
export function refuseUnsupported(provider: Provider, topic: ProfileTopic, data: unknown): void {
  const fault = provider.isStrict ? faultIn(data, provider[topic]) : undefined;
  if (fault === undefined) return;
  throw new ApiError(501, `Provider '${provider.name}' does not support a requested option: ${fault}`);
}

/** @param option the attribute it came in @throws ApiError 400 for what is not JSON */
export function parseProfileData(option: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw invalidOption(text, option);
  }
}
