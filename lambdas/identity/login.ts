// Logging in: who somebody is, and on which project that lets him in. Every refusal is the same 401, so that nobody learns which
// users, projects and assignments there are.
import type { ProjectRow } from '../domain/identity.ts';
import { findProject, findProjectByName } from '../repositories/identities.ts';
import { findAccess, type UserAccess } from '../repositories/role-assignments.ts';
import type { Services } from '../runtime/services.ts';
import { rolesBy, type TokenClaims, type ValidToken } from '../runtime/tokens/tokens.ts';
import type { AuthRequest, ProjectWish, Scope } from './auth-request.ts';
import { domainIdOf, type Proof, prove, unauthorized } from './proofs.ts';

async function wishedProject(services: Services, wish: ProjectWish): Promise<ProjectRow | undefined> {
  if ('id' in wish) return findProject(services.table, wish.id);
  return findProjectByName(services.table, await domainIdOf(services, wish.domain), wish.name);
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
  const credential = proofs.find((proof) => proof.credential)?.credential;
  // A credential is for its own project, and cannot ask for a scope.
  if (credential && scope !== undefined) throw unauthorized();
  const project = await scopeOf(services, access, credential ? { project: { id: credential.project_id } } : scope);
  const claims: TokenClaims = {
    user_id: userId,
    project_id: project?.id ?? null,
    methods: [...new Set([...methods, ...(parent?.methods ?? [])])],
    ...(credential ? { application_credential_id: credential.id } : {}),
    ...claimsOf(services, parent),
  };
  const roles = project ? rolesBy(claims, access, project.id, services.clock.now()) : [];
  // What a credential gave may have been taken from its user.
  if (project && roles.length === 0) throw unauthorized();
  return { claims, user: access.user, project, roles };
}
