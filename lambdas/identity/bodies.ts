// What an administrator may say about projects, users and roles: Keystone's schemas, as far as the attributes are kept here.
// Others are passed over, as Keystone takes any.
import * as z from 'zod';
import { defaultDomainId } from '../domain/identity.ts';
import { malformed } from './auth-request.ts';

/** Not blank; Keystone's limits are those of its columns. */
const name = (length: number) => z.string().max(length).regex(/\S/, 'must not be blank');
const text = z.string().max(4_096);
const password = z.string().min(1).max(4_096);
const domain_id = z.literal(defaultDomainId, 'must be the default domain, as there is no other').nullish();

const project = z
  .object({ name: name(64), description: text.nullable(), enabled: z.boolean(), domain_id, parent_id: domain_id })
  .partial();
const user = z
  .object({
    name: name(255),
    description: text.nullable(),
    email: text.nullable(),
    enabled: z.boolean(),
    default_project_id: z.string().max(64).nullable(),
    domain_id,
    password: password.nullable(),
  })
  .partial();
const role = z.object({ name: name(255), description: text.nullish() });

export const projectCreate = z.object({ project: project.required({ name: true }) });
export const projectUpdate = z.object({ project });
export const userCreate = z.object({ user: user.required({ name: true }) });
export const userUpdate = z.object({ user });
export const roleCreate = z.object({ role });
export const passwordChange = z.object({ user: z.object({ password, original_password: text }) });

export const credentialCreate = z.object({
  application_credential: z.object({
    name: name(255),
    description: text.nullish(),
    secret: password.optional(),
    expires_at: z.iso.datetime({ local: true, offset: true, error: 'must be a date and a time' }).nullish(),
    roles: z.array(z.union([z.object({ id: z.string() }), z.object({ name: z.string() })])).optional(),
    unrestricted: z.boolean().optional(),
  }),
});

/** @throws ApiError 400 that names the first place that is wrong */
export function parsed<T>(schema: z.ZodType<T>, body: unknown): T {
  const result = schema.safeParse(body);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw malformed(issue?.path.join('/') ?? '', issue?.message ?? '');
}
