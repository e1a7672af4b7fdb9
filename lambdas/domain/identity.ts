// Who may ask: Keystone's domains, projects, users, roles and role assignments, as far as the built-in identity service has them.

export interface DomainRow {
  id: string;
  name: string;
  description: string;
  enabled: boolean;
  created_at: string;
}

export interface ProjectRow extends DomainRow {
  domain_id: string;
}

/** A password as it is kept. The parameters lie beside the hash, so that they can be raised without asking anybody to log in. */
export interface PasswordHash {
  algorithm: 'scrypt';
  /** Base64. */
  hash: string;
  salt: string;
  cost: number;
  block_size: number;
  parallelization: number;
}

export interface UserRow {
  id: string;
  name: string;
  domain_id: string;
  enabled: boolean;
  created_at: string;
  description?: string | null;
  email?: string | null;
  default_project_id?: string | null;
  password: PasswordHash;
  /** Milliseconds since the epoch: tokens from before the password changed no longer hold. */
  tokens_valid_from: number;
}

export interface Role {
  id: string;
  name: string;
  description?: string | null;
}

export interface RoleAssignment {
  user_id: string;
  project_id: string;
  role_id: string;
}

/** A secret of a program, which lets it in as its user, on one project, with some of the user's roles there. */
export interface ApplicationCredentialRow {
  id: string;
  name: string;
  description: string | null;
  user_id: string;
  project_id: string;
  role_ids: string[];
  /** Whether it may be used to make and end application credentials. */
  unrestricted: boolean;
  /** Milliseconds since the epoch; null: never. */
  expires_at: number | null;
  created_at: string;
  secret: PasswordHash;
}

export const defaultDomainId = 'default';

export const roleNames = [
  'admin',
  'member',
  'reader',
  'service',
  'load-balancer_member',
  'load-balancer_observer',
  'load-balancer_global_observer',
  'load-balancer_quota_admin',
  'load-balancer_admin',
] as const;
export type RoleName = (typeof roleNames)[number];

/** Keystone's bootstrap: whoever is admin is a member, and every member reads. */
export const impliedRole: Readonly<Record<string, RoleName>> = { admin: 'member', member: 'reader' };

/** The roles with those that follow from them; a role that does not exist (any more) is left out. */
export function withImpliedRoles(assigned: readonly string[], roles: readonly Role[]): Role[] {
  const names = new Set<string>();
  for (const start of assigned) {
    for (let name: string | undefined = start; name !== undefined && !names.has(name); name = impliedRole[name])
      names.add(name);
  }
  return roles.filter(({ name }) => names.has(name));
}
