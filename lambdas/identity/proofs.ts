// Who somebody is: Keystone's auth plugins password, token and application_credential. Every refusal is the same 401, so that nobody
// learns which users and credentials there are.
import { ApiError } from '../domain/errors.ts';
import type { ApplicationCredentialRow, PasswordHash, UserRow } from '../domain/identity.ts';
import { findCredential, findCredentialByName } from '../repositories/application-credentials.ts';
import { findDomainByName, findUser, findUserByName } from '../repositories/identities.ts';
import { countFailedLogin, forgetFailedLogins, readFailedLogins } from '../repositories/tokens.ts';
import type { Services } from '../runtime/services.ts';
import { type TokenClaims, tokensOf } from '../runtime/tokens/tokens.ts';
import {
  type AuthRequest,
  type CredentialWish,
  type DomainWish,
  malformed,
  type OwnerWish,
  type UserWish,
} from './auth-request.ts';
import { isForgotten, isLocked } from './lockout.ts';
import { passwordFits, unfittable } from './passwords.ts';

export const unauthorized = () => new ApiError(401, 'The request you have made requires authentication.');
const unsupported = () => new ApiError(401, 'Attempted to authenticate with an unsupported method.');

/** Something with a secret that opens it while it is enabled. */
interface Lock {
  id: string;
  enabled: boolean;
  secret: PasswordHash;
}
/** Stands for everybody who is not there: costs what a user costs, failed logins included, and never gets in. */
const nobody: Lock = { id: 'nobody', enabled: false, secret: unfittable };

/** @throws ApiError 401 */
async function opened(services: Services, { id, enabled, secret }: Lock, given: string): Promise<void> {
  const { table, clock } = services;
  const fits = await passwordFits(given, secret);
  // Read after the hash: of a thousand guesses made at once, those that come out after the fifth failure meet the lock.
  const failed = await readFailedLogins(table, id);
  const now = clock.now();
  if (isLocked(failed, now)) throw unauthorized();
  if (!fits || !enabled) {
    await countFailedLogin(services, id, isForgotten(failed, now));
    throw unauthorized();
  }
  if (failed.failures > 0) await forgetFailedLogins(services, id);
}

export const domainIdOf = async ({ table }: Services, wish: DomainWish): Promise<string> =>
  'id' in wish ? wish.id : ((await findDomainByName(table, wish.name))?.id ?? '');

async function wishedUser(services: Services, wish: OwnerWish): Promise<UserRow | undefined> {
  if ('id' in wish) return findUser(services.table, wish.id);
  return findUserByName(services.table, await domainIdOf(services, wish.domain), wish.name);
}

/** @returns the user's id */
export async function byPassword(services: Services, wish: UserWish): Promise<string> {
  const user = await wishedUser(services, wish);
  await opened(services, user ? { ...user, secret: user.password } : nobody, wish.password);
  return user!.id;
}

async function wishedCredential(
  services: Services,
  wish: CredentialWish,
): Promise<ApplicationCredentialRow | undefined> {
  if ('id' in wish) return findCredential(services.table, wish.id);
  const owner = await wishedUser(services, wish.user);
  return owner && findCredentialByName(services.table, owner.id, wish.name);
}

async function byCredential(services: Services, wish: CredentialWish): Promise<ApplicationCredentialRow> {
  const credential = await wishedCredential(services, wish);
  const isOver = (credential?.expires_at ?? Number.POSITIVE_INFINITY) <= services.clock.now();
  await opened(services, credential ? { ...credential, enabled: !isOver } : nobody, wish.secret);
  return credential!;
}

async function byToken(services: Services, token: string): Promise<TokenClaims> {
  const shown = await tokensOf(services).validate(token);
  if (!shown) throw unauthorized();
  // Or the token would soon do more than its credential, and outlive it.
  if (shown.claims.application_credential_id !== undefined)
    throw new ApiError(403, 'You are not authorized to perform the requested action: rescope a scoped token.');
  return shown.claims;
}

export interface Proof {
  user_id: string;
  /** The token that was shown. */
  parent?: TokenClaims;
  credential?: ApplicationCredentialRow;
}

/** @throws ApiError 401, and 400 for a method without its part of the body */
export async function prove(services: Services, method: string, identity: AuthRequest['identity']): Promise<Proof> {
  const { password, token, application_credential } = identity;
  const needed = () => malformed(`auth/identity/${method}`, `is needed for the method ${method}`);
  if (method === 'password') {
    if (!password) throw needed();
    return { user_id: await byPassword(services, password.user) };
  }
  if (method === 'application_credential') {
    if (!application_credential) throw needed();
    const credential = await byCredential(services, application_credential);
    return { user_id: credential.user_id, credential };
  }
  if (method !== 'token') throw unsupported();
  if (!token) throw needed();
  const parent = await byToken(services, token.id);
  return { user_id: parent.user_id, parent };
}
