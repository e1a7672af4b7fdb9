// How passwords are kept: scrypt with a salt for each, the parameters beside the hash.
import { randomBytes, type ScryptOptions, scrypt, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';
import type { PasswordHash } from '../domain/identity.ts';

const derive = promisify<string, Buffer, number, ScryptOptions, Buffer>(scrypt);
/**
 * 32 MiB and some 90 ms on one core, which is to be paid at each login of a command line client: with the lock after failed logins
 * that is slow enough for whoever guesses here, and no gift to whoever has stolen the table.
 */
const today = { cost: 2 ** 15, block_size: 8, parallelization: 1 };
const hashBytes = 32;

type Parameters = Pick<PasswordHash, 'cost' | 'block_size' | 'parallelization'>;

function hashOf(password: string, salt: Buffer, { cost, block_size, parallelization }: Parameters): Promise<Buffer> {
  // scrypt needs 128 bytes times cost times block size; Node refuses from 32 MiB on unless told.
  const maxmem = 2 * 128 * cost * block_size;
  return derive(password, salt, hashBytes, { N: cost, r: block_size, p: parallelization, maxmem });
}

export async function hashPassword(password: string): Promise<PasswordHash> {
  const salt = randomBytes(16);
  const hash = await hashOf(password, salt, today);
  return { algorithm: 'scrypt', hash: hash.toString('base64'), salt: salt.toString('base64'), ...today };
}

export async function passwordFits(password: string, kept: PasswordHash): Promise<boolean> {
  const hash = await hashOf(password, Buffer.from(kept.salt, 'base64'), kept);
  return timingSafeEqual(hash, Buffer.from(kept.hash, 'base64'));
}

/** No password has this hash, but to find out takes as long as with any other. */
export const unfittable: PasswordHash = {
  algorithm: 'scrypt',
  hash: Buffer.alloc(hashBytes).toString('base64'),
  salt: Buffer.alloc(16).toString('base64'),
  ...today,
};
