// The size DynamoDB bills and limits an item by, and what it refuses to store at all.

/** DynamoDB takes lists and maps nested this deep. */
const maxDepth = 32;
/** Each list and map costs three bytes, and each element in it one more. */
const containerBytes = 3;

/** About a byte for two digits, and one more. DynamoDB has 38 digits, a double is exact up to 2^53 only. */
function numberBytes(value: number): number {
  if (!Number.isFinite(value) || Math.abs(value) > Number.MAX_SAFE_INTEGER)
    throw new TypeError(`${value} cannot be stored`);
  if (value !== 0 && Math.abs(value) < 1e-130) throw new TypeError(`${value} is too near to zero to be stored`);
  return Math.ceil(String(value).length / 2) + 1;
}

function isPlainObject(value: object): boolean {
  const prototype = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

function valueBytes(value: unknown, depth: number): number {
  if (typeof value === 'string') return Buffer.byteLength(value);
  if (typeof value === 'number') return numberBytes(value);
  if (typeof value === 'boolean' || value === null) return 1;
  if (depth >= maxDepth) throw new TypeError(`values nested deeper than ${maxDepth} levels cannot be stored`);
  if (Array.isArray(value)) {
    return value.reduce<number>((bytes, element) => bytes + 1 + valueBytes(element, depth + 1), containerBytes);
  }
  if (typeof value !== 'object' || !isPlainObject(value)) throw new TypeError(`${typeof value} cannot be stored`);
  return containerBytes + mapBytes(value as Record<string, unknown>, 1, depth + 1);
}

function mapBytes(map: Record<string, unknown>, bytesPerEntry: number, depth: number): number {
  let bytes = 0;
  for (const name in map) {
    const value = map[name];
    if (value !== undefined) bytes += bytesPerEntry + Buffer.byteLength(name) + valueBytes(value, depth);
  }
  return bytes;
}

/**
 * Bytes of all attributes, names included; undefined attributes are not stored and do not count.
 * @throws TypeError for what JSON or DynamoDB cannot hold: undefined in a list, NaN, dates, integers beyond 2^53
 */
export const itemBytes = (attributes: Record<string, unknown>): number => mapBytes(attributes, 0, 0);
