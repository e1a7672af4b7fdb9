// How the parts of a PKCS#12 file are encrypted and signed under an empty passphrase: PBES2 as OpenSSL 3 writes it, the older
// 3DES and RC2 of RFC 7292 as OpenSSL 1.1, Java and Windows do.
import { createDecipheriv, createHash, createHmac, pbkdf2Sync, timingSafeEqual } from 'node:crypto';
import { childOf, type Der, integerOf, objectIdOf, tags } from './der.ts';
import { rc2Decipher } from './rc2.ts';

/** OpenSSL's 2,048, and much more; what takes longer than a tenth of a second is meant to. */
const mostIterations = 100_000;

function iterationsOf(value: Der): number {
  const iterations = integerOf(value);
  if (iterations < 1 || iterations > mostIterations) throw new TypeError(`${iterations} rounds are too many`);
  return iterations;
}

const digests: Record<string, { name: string; blockBytes: number }> = {
  '1.3.14.3.2.26': { name: 'sha1', blockBytes: 64 },
  '2.16.840.1.101.3.4.2.4': { name: 'sha224', blockBytes: 64 },
  '2.16.840.1.101.3.4.2.1': { name: 'sha256', blockBytes: 64 },
  '2.16.840.1.101.3.4.2.2': { name: 'sha384', blockBytes: 128 },
  '2.16.840.1.101.3.4.2.3': { name: 'sha512', blockBytes: 128 },
};
const hmacs: Record<string, string> = {
  '1.2.840.113549.2.7': 'sha1',
  '1.2.840.113549.2.8': 'sha224',
  '1.2.840.113549.2.9': 'sha256',
  '1.2.840.113549.2.10': 'sha384',
  '1.2.840.113549.2.11': 'sha512',
};

function known<T>(table: Record<string, T>, id: Der): T {
  const found = table[objectIdOf(id)];
  if (found === undefined) throw new TypeError(`${objectIdOf(id)} is not supported`);
  return found;
}

/** No passphrase is two things: a text without characters, which ends in a zero like any, and no text at all. */
export const emptyPassphrases = [Buffer.alloc(2), Buffer.alloc(0)] as const;

const repeated = (bytes: Buffer, length: number): Buffer =>
  bytes.length === 0 ? bytes : Buffer.alloc(length, bytes.toString('latin1'), 'latin1');

const wholeBlocks = (bytes: Buffer, block: number): Buffer => repeated(bytes, block * Math.ceil(bytes.length / block));

/** Adds a number of one block, and one, to each block. */
function raiseBlocks(input: Buffer, by: Buffer): void {
  for (let block = 0; block < input.length; block += by.length) {
    let carry = 1;
    for (let at = by.length - 1; at >= 0; at--) {
      carry += input[block + at]! + by[at]!;
      input[block + at] = carry & 0xff;
      carry >>= 8;
    }
  }
}

interface Derivation {
  digest: { name: string; blockBytes: number };
  salt: Buffer;
  iterations: number;
}

/** RFC 7292, appendix B.2. @param purpose 1: a key, 2: an initial vector, 3: a key to sign with */
function derived(
  passphrase: Buffer,
  { digest, salt, iterations }: Derivation,
  purpose: number,
  length: number,
): Buffer {
  const { name, blockBytes } = digest;
  const input = Buffer.concat([wholeBlocks(salt, blockBytes), wholeBlocks(passphrase, blockBytes)]);
  const diversifier = Buffer.alloc(blockBytes, purpose);
  const made: Buffer[] = [];
  for (let bytes = 0; bytes < length; ) {
    let hash = createHash(name).update(diversifier).update(input).digest();
    for (let round = 1; round < iterations; round++) hash = createHash(name).update(hash).digest();
    made.push(hash);
    bytes += hash.length;
    raiseBlocks(input, repeated(hash, blockBytes));
  }
  return Buffer.concat(made).subarray(0, length);
}

type Decipher = (key: Buffer, iv: Buffer, ciphered: Buffer) => Buffer;
const byName =
  (name: string): Decipher =>
  (key, iv, ciphered) => {
    const decipher = createDecipheriv(name, key, iv);
    return Buffer.concat([decipher.update(ciphered), decipher.final()]);
  };

/** With a key of two parts, the first is the third. */
const twoKeys3Des: Decipher = (key, iv, ciphered) =>
  byName('des-ede3-cbc')(Buffer.concat([key, key.subarray(0, 8)]), iv, ciphered);

const legacySchemes: Record<string, { keyBytes: number; decipher: Decipher }> = {
  '1.2.840.113549.1.12.1.3': { keyBytes: 24, decipher: byName('des-ede3-cbc') },
  '1.2.840.113549.1.12.1.4': { keyBytes: 16, decipher: twoKeys3Des },
  '1.2.840.113549.1.12.1.5': { keyBytes: 16, decipher: rc2Decipher },
  '1.2.840.113549.1.12.1.6': { keyBytes: 5, decipher: rc2Decipher },
};
const schemes: Record<string, { keyBytes: number; decipher: Decipher }> = {
  '1.2.840.113549.3.7': { keyBytes: 24, decipher: byName('des-ede3-cbc') },
  '2.16.840.1.101.3.4.1.2': { keyBytes: 16, decipher: byName('aes-128-cbc') },
  '2.16.840.1.101.3.4.1.22': { keyBytes: 24, decipher: byName('aes-192-cbc') },
  '2.16.840.1.101.3.4.1.42': { keyBytes: 32, decipher: byName('aes-256-cbc') },
};
const pbes2 = '1.2.840.113549.1.5.13';
const pbkdf2 = '1.2.840.113549.1.5.12';
const pbmac1 = '1.2.840.113549.1.5.14';

/** A key by PBKDF2, for which no passphrase is the same as an empty one. */
function keyByPbkdf2(algorithm: Der, length: number): Buffer {
  if (objectIdOf(childOf(algorithm, 0)) !== pbkdf2) throw new TypeError('only PBKDF2 is supported in PBES2');
  const [salt, iterations, ...optional] = childOf(algorithm, 1).children;
  const hmac = optional.find(({ tag }) => tag === tags.sequence);
  const digest = hmac === undefined ? 'sha1' : known(hmacs, childOf(hmac, 0));
  return pbkdf2Sync('', salt?.content ?? '', iterationsOf(iterations!), length, digest);
}

function decipheredByPbes2(parameters: Der, ciphered: Buffer): Buffer {
  const [derivation, scheme] = [childOf(parameters, 0), childOf(parameters, 1)];
  const { keyBytes, decipher } = known(schemes, childOf(scheme, 0));
  return decipher(keyByPbkdf2(derivation, keyBytes), childOf(scheme, 1).content, ciphered);
}

/** @throws Error for another scheme, and mostly for another passphrase */
export function deciphered(algorithm: Der, ciphered: Buffer, passphrase: Buffer): Buffer {
  const [id, parameters] = [childOf(algorithm, 0), childOf(algorithm, 1)];
  if (objectIdOf(id) === pbes2) return decipheredByPbes2(parameters, ciphered);
  const { keyBytes, decipher } = known(legacySchemes, id);
  const derivation = {
    digest: digests['1.3.14.3.2.26']!,
    salt: childOf(parameters, 0).content,
    iterations: iterationsOf(childOf(parameters, 1)),
  };
  return decipher(derived(passphrase, derivation, 1, keyBytes), derived(passphrase, derivation, 2, 8), ciphered);
}

/** PBMAC1, RFC 9579: what OpenSSL 3.4 signs with when it is asked to. */
function signedByPbmac1(parameters: Der, content: Buffer): Buffer {
  const digest = known(hmacs, childOf(childOf(parameters, 1), 0));
  const derivation = childOf(parameters, 0);
  const length = childOf(derivation, 1)
    .children.slice(2)
    .find(({ tag }) => tag === tags.integer);
  return createHmac(digest, keyByPbkdf2(derivation, length ? Math.min(integerOf(length), 128) : 32))
    .update(content)
    .digest();
}

/** Whether the passphrase is the one the file was signed with. @param macData the file's own */
export function isSignedWith(macData: Der, content: Buffer, passphrase: Buffer): boolean {
  const info = childOf(macData, 0);
  const [algorithm, signature] = [childOf(info, 0), childOf(info, 1).content];
  const signed =
    objectIdOf(childOf(algorithm, 0)) === pbmac1
      ? signedByPbmac1(childOf(algorithm, 1), content)
      : signedByDigest(macData, known(digests, childOf(algorithm, 0)), content, passphrase);
  return signed.length === signature.length && timingSafeEqual(signed, signature);
}

function signedByDigest(macData: Der, digest: Derivation['digest'], content: Buffer, passphrase: Buffer): Buffer {
  const rounds = macData.children[2];
  const derivation = { digest, salt: childOf(macData, 1).content, iterations: rounds ? iterationsOf(rounds) : 1 };
  const keyBytes = createHash(digest.name).digest().length;
  return createHmac(digest.name, derived(passphrase, derivation, 3, keyBytes))
    .update(content)
    .digest();
}
