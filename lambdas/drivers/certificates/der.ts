// Reads ASN.1 in DER, and in BER as older Windows and NSS write their PKCS#12 files: definite and indefinite lengths, texts in parts.

export interface Der {
  /** The first byte: class, form and number. */
  tag: number;
  /** What is inside; empty for what is not constructed. */
  children: Der[];
  /** Contents of what is not constructed; of a text in parts, all of them. */
  content: Buffer;
  /** The whole of it, header included. */
  bytes: Buffer;
}

export const tags = { integer: 0x02, octetString: 0x04, objectId: 0x06, sequence: 0x30, explicit0: 0xa0 } as const;

const constructed = 0x20;
const octetStringInParts = 0x24;
const implicitInParts = 0xa0;
/** A file of a certificate has less than ten levels; a made one must not fill the stack. */
const deepest = 40;

interface Header {
  tag: number;
  /** undefined: until two zero bytes. */
  length: number | undefined;
  start: number;
}

function headerAt(bytes: Buffer, at: number): Header {
  const [tag, first] = [bytes[at], bytes[at + 1]];
  if (tag === undefined || first === undefined || (tag & 0x1f) === 0x1f) throw new TypeError('no ASN.1 value');
  if (first < 0x80) return { tag, length: first, start: at + 2 };
  const size = first & 0x7f;
  if (size === 0) return { tag, length: undefined, start: at + 2 };
  if (size > 4 || at + 2 + size > bytes.length) throw new TypeError('the length of an ASN.1 value cannot be read');
  return { tag, length: bytes.readUIntBE(at + 2, size), start: at + 2 + size };
}

const isEnd = (bytes: Buffer, at: number): boolean => bytes[at] === 0 && bytes[at + 1] === 0;

/** A text in parts reads like one in a piece. */
const joined = (tag: number, children: Der[]): Buffer =>
  tag === octetStringInParts || (tag === implicitInParts && children.every((one) => one.tag === tags.octetString))
    ? Buffer.concat(children.map(({ content }) => content))
    : Buffer.alloc(0);

function valueAt(bytes: Buffer, at: number, depth: number): { value: Der; end: number } {
  if (depth > deepest) throw new TypeError('an ASN.1 value is nested too deeply');
  const { tag, length, start } = headerAt(bytes, at);
  const limit = length === undefined ? bytes.length : start + length;
  if (limit > bytes.length) throw new TypeError('an ASN.1 value is cut off');
  if ((tag & constructed) === 0) {
    if (length === undefined) throw new TypeError('an ASN.1 value has no length');
    const value = { tag, children: [], content: bytes.subarray(start, limit), bytes: bytes.subarray(at, limit) };
    return { value, end: limit };
  }
  const children: Der[] = [];
  let next = start;
  while (length === undefined ? !isEnd(bytes, next) : next < limit) {
    const child = valueAt(bytes, next, depth + 1);
    children.push(child.value);
    next = child.end;
  }
  const end = length === undefined ? next + 2 : limit;
  return { value: { tag, children, content: joined(tag, children), bytes: bytes.subarray(at, end) }, end };
}

/** @throws TypeError for what is no ASN.1 value. What comes after it is passed over. */
export const readDer = (bytes: Buffer): Der => valueAt(bytes, 0, 0).value;

/** @throws TypeError when there is none */
export function childOf(value: Der | undefined, index: number): Der {
  const child = value?.children[index];
  if (child === undefined) throw new TypeError('an ASN.1 value lacks a part');
  return child;
}

/** An object identifier, dotted. */
export function objectIdOf({ tag, content }: Der): string {
  if (tag !== tags.objectId) throw new TypeError('no object identifier');
  const numbers: number[] = [];
  let number = 0;
  for (const byte of content) {
    number = number * 128 + (byte & 0x7f);
    if (byte >= 0x80) continue;
    if (numbers.length === 0) numbers.push(Math.min(2, Math.floor(number / 40)));
    numbers.push(numbers.length === 1 ? number - 40 * numbers[0]! : number);
    number = 0;
  }
  return numbers.join('.');
}

/** A small positive integer, of rounds or lengths. */
export function integerOf({ tag, content }: Der): number {
  if (tag !== tags.integer || content.length > 6) throw new TypeError('no small integer');
  return content.length === 0 ? 0 : content.readUIntBE(0, content.length);
}
