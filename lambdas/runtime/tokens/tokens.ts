// Tokens of the built-in identity service, shared by the service that makes them and the authorizer that honours them:
// Keystone's token provider. A token is a signed statement of who and where; it is in the table only once it is revoked.
import { errors, type JWTHeaderParameters, jwtVerify, SignJWT } from 'jose';
import { type ProjectRow, type Role, type UserRow, withImpliedRoles } from '../../domain/identity.ts';
import { findProject } from '../../repositories/identities.ts';
import { findAccess, type UserAccess } from '../../repositories/role-assignments.ts';
import { isRevoked, revoke } from '../../repositories/tokens.ts';
import type { Services } from '../services.ts';
import { algorithm, SigningKeys } from './signing-keys.ts';

/** What a token says. Times are seconds since the epoch. */
export interface TokenClaims {
  user_id: string;
  /** null: unscoped. */
  project_id: string | null;
  methods: string[];
  issued_at: number;
  expires_at: number;
  audit_id: string;
  /** The application credential that it was had with: it does not outlive that, and may no more than that. */
  application_credential_id?: string;
  /** Audit id of the token that the first of a chain of token logins was made with. */
  parent_audit_id: string | null;
}

/** A token that holds, with what the table says about its user now. */
export interface ValidToken {
  claims: TokenClaims;
  user: UserRow;
  project: ProjectRow | null;
  /** Implied roles included. */
  roles: Role[];
}

/**
 * Roles are not in the token: they are read when it is validated, so that an assignment that was taken away ends with the cache
 * and not with the token an hour later, and so that a token stays short whatever its user may do.
 */
const trustedMs = 30_000;
const trustedTokens = 2_000;
/** Ours have some 360 characters: longer ones are not worth a look. */
const longestToken = 2_048;

export class Tokens {
  readonly #services: Services;
  readonly #keys: SigningKeys;
  readonly #trusted = new Map<string, { token: ValidToken; until: number }>();

  constructor(services: Services) {
    this.#services = services;
    this.#keys = new SigningKeys(services);
  }

  async sign(claims: TokenClaims): Promise<string> {
    const { kid, key } = await this.#keys.signer();
    const { project_id, methods, parent_audit_id, application_credential_id } = claims;
    return new SignJWT({
      methods,
      ...(project_id === null ? {} : { project: project_id }),
      ...(parent_audit_id === null ? {} : { parent: parent_audit_id }),
      ...(application_credential_id === undefined ? {} : { credential: application_credential_id }),
    })
      .setProtectedHeader({ alg: algorithm, kid })
      .setSubject(claims.user_id)
      .setIssuedAt(claims.issued_at)
      .setExpirationTime(claims.expires_at)
      .setJti(claims.audit_id)
      .sign(key);
  }

  /** undefined for a token that does not hold, whatever the reason. Asks the table. */
  async validate(token: string): Promise<ValidToken | undefined> {
    const claims = await this.#verify(token);
    return claims && this.#current(claims);
  }

  /** As validate, with an answer of at most 30 seconds ago. */
  async validateFast(token: string): Promise<ValidToken | undefined> {
    const now = this.#services.clock.now();
    const known = this.#trusted.get(token);
    if (known && now < known.until) return known.token;
    this.#trusted.delete(token);
    const valid = await this.validate(token);
    if (valid) this.#trust(token, valid, now);
    return valid;
  }

  /** In force at once in this process, within 30 seconds in others. */
  async revoke(token: string, { claims }: ValidToken): Promise<void> {
    await revoke(this.#services, claims.audit_id, claims.expires_at * 1000);
    this.#trusted.delete(token);
  }

  /** What may have changed is read anew from now on: a user, a project or a role. In this process; others follow within 30 seconds. */
  forget(): void {
    this.#trusted.clear();
  }

  #trust(token: string, valid: ValidToken, now: number): void {
    if (this.#trusted.size >= trustedTokens) this.#trusted.delete(this.#trusted.keys().next().value!);
    this.#trusted.set(token, { token: valid, until: Math.min(now + trustedMs, valid.claims.expires_at * 1000) });
  }

  async #verify(token: string): Promise<TokenClaims | undefined> {
    if (token.length > longestToken) return undefined;
    const currentDate = new Date(this.#services.clock.now());
    try {
      // The list of algorithms is what refuses `none`, and a key used as if it were a shared secret.
      const { payload } = await jwtVerify(token, this.#verifier, { algorithms: [algorithm], currentDate });
      return {
        user_id: payload.sub!,
        project_id: (payload['project'] as string | undefined) ?? null,
        methods: payload['methods'] as string[],
        issued_at: payload.iat!,
        expires_at: payload.exp!,
        audit_id: payload.jti!,
        parent_audit_id: (payload['parent'] as string | undefined) ?? null,
        ...(payload['credential'] === undefined ? {} : { application_credential_id: payload['credential'] as string }),
      };
    } catch (error) {
      if (error instanceof errors.JOSEError) return undefined;
      throw error;
    }
  }

  #verifier = async ({ kid }: JWTHeaderParameters) => {
    const key = typeof kid === 'string' ? await this.#keys.verifier(kid) : undefined;
    if (key === undefined) throw new errors.JWKSNoMatchingKey();
    return key;
  };

  async #current(claims: TokenClaims): Promise<ValidToken | undefined> {
    const { table } = this.#services;
    const [isGone, access, project] = await Promise.all([
      isRevoked(table, claims.audit_id),
      findAccess(table, claims.user_id),
      claims.project_id === null ? null : findProject(table, claims.project_id),
    ]);
    if (isGone || !access || claims.issued_at < Math.floor(access.user.tokens_valid_from / 1000)) return undefined;
    if (project === null) return { claims, user: access.user, project, roles: [] };
    const roles = project?.enabled ? rolesBy(claims, access, project.id, this.#services.clock.now()) : [];
    // Keystone too: a token of a project on which its user has no role (any more) is none.
    return project && roles.length > 0 ? { claims, user: access.user, project, roles } : undefined;
  }
}

/** An application credential gives no more than it names, of what its user still has. @param now milliseconds since the epoch */
export function rolesBy(claims: TokenClaims, access: UserAccess, projectId: string, now: number): Role[] {
  const roles = access.rolesOn(projectId);
  if (claims.application_credential_id === undefined) return roles;
  const credential = access.credentials.find(({ id }) => id === claims.application_credential_id);
  if (credential?.project_id !== projectId || (credential.expires_at ?? Number.POSITIVE_INFINITY) <= now) return [];
  const named = roles.filter(({ id }) => credential.role_ids.includes(id)).map(({ name }) => name);
  return withImpliedRoles(named, roles);
}

const perServices = new WeakMap<Services, Tokens>();

/** One per process and services: keys and validated tokens are kept across requests, and on one machine across handlers. */
export function tokensOf(services: Services): Tokens {
  let tokens = perServices.get(services);
  if (tokens === undefined) {
    tokens = new Tokens(services);
    perServices.set(services, tokens);
  }
  return tokens;
}
