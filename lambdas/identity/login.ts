// Who somebody is and on which project they are let in: Keystone's auth plugins password and token. Every refusal is the same 401,
// so that nobody learns which users, projects and assignments there are.
import { ApiError } from '../domain/errors.ts';
import type { ProjectRow, UserRow } from '../domain/identity.ts';
import {
  findDomainByName,
  findProject,
  findProjectByName,
  findUser,
  findUserByName,
} from '../repositories/identities.ts';
import { findAccess, type UserAccess } from '../repositories/role-assignments.ts';
import { countFailedLogin, forgetFailedLogins, readFailedLogins } from '../repositories/tokens.ts';
import type { Services } from '../runtime/services.ts';
import { type TokenClaims, tokensOf, type ValidToken } from '../runtime/tokens/tokens.ts';
import {
  type AuthRequest,
  type DomainWish,
  malformed,
  type ProjectWish,
  type Scope,
  type UserWish,
} from './auth-request.ts';
import { isForgotten, isLocked } from './lockout.ts';
import { passwordFits, unfittable } from './passwords.ts';

export const unauthorized = () => new ApiError(401, 'The request you have made requires authentication.');
const unsupported = () => new ApiError(401, 'Attempted to authenticate with an unsupported method.');

/** Stands for every user that is not there: costs what a user costs, failed logins included, and never gets in. */
const nobody: Pick<UserRow, 'id' | 'enabled' | 'password'> = { id: 'nobody', enabled: false, password: unfittable };

const domainIdOf = async ({ table }: Services, wish: DomainWish): Promise<string> =>
  'id' in wish ? wish.id : ((await findDomainByName(table, wish.name))?.id ?? '');

async function wishedUser(services: Services, wish: UserWish): Promise<UserRow | undefined> {
  if ('id' in wish) return findUser(services.table, wish.id);
  return findUserByName(services.table, await domainIdOf(services, wish.domain), wish.name);
}

async function wishedProject(services: Services, wish: ProjectWish): Promise<ProjectRow | undefined> {
  if ('id' in wish) return findProject(services.table, wish.id);
  return findProjectByName(services.table, await domainIdOf(services, wish.domain), wish.name);
}

/** @returns the user's id */
export async function byPassword(services: Services, wish: UserWish): Promise<string> {
  const { table, clock } = services;
  const user = (await wishedUser(services, wish)) ?? nobody;
  const fits = await passwordFits(wish.password, user.password);
  // Read after the hash: of a thousand guesses made at once, those that come out after the fifth failure meet the lock.
  const failed = await readFailedLogins(table, user.id);
  const now = clock.now();
  if (isLocked(failed, now)) throw unauthorized();
  if (!fits || !user.enabled) {
    await countFailedLogin(services, user.id, isForgotten(failed, now));
    throw unauthorized();
  }
  if (failed.failures > 0) await forgetFailedLogins(services, user.id);
  return user.id;
}

interface Proof {
  user_id: string;
  /** The token that was shown. */
  parent?: TokenClaims;
}

async function prove(services: Services, method: string, { password, token }: AuthRequest['identity']): Promise<Proof> {
  if (method === 'password') {
    if (!password) throw malformed('auth/identity/password', 'is needed for the method password');
    return { user_id: await byPassword(services, password.user) };
  }
  if (method !== 'token') throw unsupported();
  if (!token) throw malformed('auth/identity/token', 'is needed for the method token');
  const shown = await tokensOf(services).validate(token.id);
  if (!shown) throw unauthorized();
  return { user_id: shown.user.id, parent: shown.claims };
}

/** The project a token is to be for; null: none. */
async function scopeOf(services: Services, access: UserAccess, scope: Scope = 'unscoped') {
  if (scope === 'unscoped' || 'unscoped' in scope) return null;
  // Nobody has a role on a domain or on the system here.
  if (!('project' in scope)) throw unauthorized();
  const project = await wishedProject(services, scope.project);
  if (!project?.enabled || !access.project_ids.includes(project.id)) throw unauthorized();
  return project;
}

/** Keystone's spelling of an audit id: the UUID's bytes, 22 characters. */
const auditIdOf = (uuid: string): string => Buffer.from(uuid.replaceAll('-', ''), 'hex').toString('base64url');

function claimsOf({ clock, config, newId }: Services, parent: TokenClaims | undefined) {
  const issued_at = Math.floor(clock.now() / 1000);
  return {
    issued_at,
    // A token bought with a token ends with it, or logging in once would be enough for ever.
    expires_at: parent?.expires_at ?? issued_at + Math.floor(config.token_lifetime_ms / 1000),
    audit_id: auditIdOf(newId()),
    parent_audit_id: parent ? (parent.parent_audit_id ?? parent.audit_id) : null,
  };
}

/**
 * What the new token will stand for.
 * @throws ApiError 401, and 400 for a method without its part of the body
 */
export async function login(services: Services, { identity, scope }: AuthRequest): Promise<ValidToken> {
  const methods = [...new Set(identity.methods)];
  const proofs: Proof[] = [];
  // In turn: a second method is not to be tried by who failed the first.
  for (const method of methods) proofs.push(await prove(services, method, identity));
  const userId = proofs[0]!.user_id;
  const access = proofs.every(({ user_id }) => user_id === userId)
    ? await findAccess(services.table, userId)
    : undefined;
  if (!access) throw unauthorized();
  const parent = proofs.find((proof) => proof.parent)?.parent;
  const project = await scopeOf(services, access, scope);
  const claims: TokenClaims = {
    user_id: userId,
    project_id: project?.id ?? null,
    methods: [...new Set([...methods, ...(parent?.methods ?? [])])],
    ...claimsOf(services, parent),
  };
  return { claims, user: access.user, project, roles: project ? access.rolesOn(project.id) : [] };
}
