// Who may ask: the people Octavia's default policies tell apart, with tokens and without the slow hashing of passwords.
import { randomUUID } from 'node:crypto';
import { defaultDomainId, roleNames } from '../../lambdas/domain/identity.ts';
import { timestamp } from '../../lambdas/domain/time.ts';
import { createProject, createRole, createUser } from '../../lambdas/repositories/identities.ts';
import { assignRole } from '../../lambdas/repositories/role-assignments.ts';
import type { Services } from '../../lambdas/runtime/services.ts';
import { tokensOf } from '../../lambdas/runtime/tokens/tokens.ts';

const project = (name: string): string => `${name.padEnd(8, '0')}`.repeat(4).slice(0, 32);
/** The project the tests' load balancers belong to, and others. */
export const projects = { own: project('a1'), other: project('b2'), admin: project('c3') } as const;

export const personas = {
  admin: { project: projects.admin, role: 'admin' },
  member: { project: projects.own, role: 'member' },
  reader: { project: projects.own, role: 'reader' },
  'load balancer member': { project: projects.own, role: 'load-balancer_member' },
  'load balancer observer': { project: projects.own, role: 'load-balancer_observer' },
  'global observer': { project: projects.other, role: 'load-balancer_global_observer' },
  'quota admin': { project: projects.other, role: 'load-balancer_quota_admin' },
  'member of another project': { project: projects.other, role: 'member' },
  service: { project: projects.own, role: 'service' },
} as const;
export type Persona = keyof typeof personas;
const names = Object.keys(personas) as Persona[];

const noPassword = { algorithm: 'scrypt', hash: '', salt: '', cost: 2, block_size: 1, parallelization: 1 } as const;
const userId = (name: Persona): string => `user-${names.indexOf(name)}`;

export async function writePersonas({ table, clock }: Services): Promise<void> {
  const made = (id: string) => ({ id, name: id, enabled: true, created_at: timestamp(clock.now()) });
  const inDomain = { domain_id: defaultDomainId };
  for (const id of Object.values(projects)) await createProject(table, { ...made(id), ...inDomain, description: '' });
  for (const name of roleNames) await createRole(table, { id: `role-${name}`, name });
  for (const name of names) {
    await createUser(table, { ...made(userId(name)), ...inDomain, password: noPassword, tokens_valid_from: 0 });
    const { project: project_id, role } = personas[name];
    await assignRole(table, { user_id: userId(name), project_id, role_id: `role-${role}` });
  }
}

/** @param lifetimeS negative for tokens that have expired */
export async function tokenOf(services: Services, lifetimeS = 86_400 * 30): Promise<Record<Persona, string>> {
  const issued_at = Math.floor(services.clock.now() / 1000) + Math.min(0, 2 * lifetimeS);
  const sign = (name: Persona) =>
    tokensOf(services).sign({
      user_id: userId(name),
      project_id: personas[name].project,
      methods: ['password'],
      issued_at,
      expires_at: issued_at + Math.abs(lifetimeS),
      audit_id: randomUUID(),
      parent_audit_id: null,
    });
  const signed = await Promise.all(names.map(async (name) => [name, await sign(name)] as const));
  return Object.fromEntries(signed) as Record<Persona, string>;
}
