// The first identities of a cloud: Keystone's bootstrap, with a project and a user to try things out with.
import { createHash } from 'node:crypto';
import { defaultDomainId, type RoleName, roleNames } from '../domain/identity.ts';
import { timestamp } from '../domain/time.ts';
import {
  changePassword,
  createDomain,
  createProject,
  createRole,
  createUser,
  findDomain,
  findProjectByName,
  findUserByName,
  listRoles,
  writeRegion,
} from '../repositories/identities.ts';
import { assignRole } from '../repositories/role-assignments.ts';
import type { Services } from '../runtime/services.ts';
import { hashPassword, passwordFits } from './passwords.ts';

export interface AdministratorSeed {
  adminPassword: string;
  /** Of the catalog's endpoints. */
  region?: string;
}

/** To try things out with. */
export interface Seed extends AdministratorSeed {
  demoPassword: string;
}

export interface SeededIds {
  admin_project_id: string;
  demo_project_id: string;
  admin_user_id: string;
  demo_user_id: string;
}

/** A random UUID that all names below are in. */
const namespace = '9e0c7f5a41d84b0bb5d3c6f1a2e87d94';

/** A UUID of version 5 the way Keystone writes one, so that a cloud seeded anew has the ids that clients know already. */
function stableId(name: string): string {
  const bytes = createHash('sha1').update(Buffer.from(namespace, 'hex')).update(name).digest().subarray(0, 16);
  bytes[6] = (bytes[6]! & 0x0f) | 0x50;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  return bytes.toString('hex');
}

const bodyOf = ({ clock }: Services, name: string) => ({
  name,
  enabled: true,
  created_at: timestamp(clock.now()),
});

/** What is there, else what is made now, by us or by who was faster. */
async function ensured<R>(find: () => Promise<R | undefined>, create: () => Promise<unknown>): Promise<R> {
  const found = await find();
  if (found) return found;
  await create();
  const made = await find();
  if (!made) throw new Error('the id of a seeded identity belongs to one of another name');
  return made;
}

const ensureDomain = (services: Services) =>
  ensured(
    () => findDomain(services.table, defaultDomainId),
    () =>
      createDomain(services.table, {
        id: defaultDomainId,
        description: 'The default domain',
        ...bodyOf(services, 'Default'),
      }),
  );

async function ensureProject(services: Services, name: string): Promise<string> {
  const row = {
    id: stableId(`project ${name}`),
    domain_id: defaultDomainId,
    description: '',
    ...bodyOf(services, name),
  };
  const find = () => findProjectByName(services.table, defaultDomainId, name);
  return (await ensured(find, () => createProject(services.table, row))).id;
}

async function ensureUser(services: Services, name: string, password: string, keepsPassword = false): Promise<string> {
  const { table, clock } = services;
  let isNew = false;
  const user = await ensured(
    () => findUserByName(table, defaultDomainId, name),
    async () => {
      const identity = { id: stableId(`user ${name}`), domain_id: defaultDomainId, ...bodyOf(services, name) };
      isNew = await createUser(table, { ...identity, password: await hashPassword(password), tokens_valid_from: 0 });
    },
  );
  if (!isNew && !keepsPassword && !(await passwordFits(password, user.password)))
    await changePassword(table, user.id, await hashPassword(password), clock.now());
  return user.id;
}

async function ensureRoles({ table }: Services): Promise<Record<RoleName, string>> {
  const existing = new Set((await listRoles(table)).map(({ name }) => name));
  for (const name of roleNames)
    if (!existing.has(name)) await createRole(table, { id: stableId(`role ${name}`), name });
  return Object.fromEntries((await listRoles(table)).map(({ id, name }) => [name, id])) as Record<RoleName, string>;
}

/** As often as wanted: makes what is missing. @param keepsPassword of an administrator who is there already */
export async function seedAdministrator(services: Services, seed: AdministratorSeed, keepsPassword = false) {
  await ensureDomain(services);
  const roles = await ensureRoles(services);
  const admin_project_id = await ensureProject(services, 'admin');
  const admin_user_id = await ensureUser(services, 'admin', seed.adminPassword, keepsPassword);
  await assignRole(services.table, { user_id: admin_user_id, project_id: admin_project_id, role_id: roles.admin });
  await writeRegion(services.table, seed.region ?? 'RegionOne');
  return { admin_project_id, admin_user_id, roles };
}

/** May be run at each start: makes what is missing, and changes a password when the one given does not fit any more. */
export async function seedCloud(services: Services, seed: Seed): Promise<SeededIds> {
  const { roles, ...admin } = await seedAdministrator(services, seed);
  const project_id = await ensureProject(services, 'demo');
  const demo_user_id = await ensureUser(services, 'demo', seed.demoPassword);
  await assignRole(services.table, { user_id: admin.admin_user_id, project_id, role_id: roles.admin });
  await assignRole(services.table, { user_id: demo_user_id, project_id, role_id: roles.member });
  return { ...admin, demo_project_id: project_id, demo_user_id };
}
