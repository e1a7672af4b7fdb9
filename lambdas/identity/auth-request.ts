// The body of a login: what Keystone's auth schema asks for, as far as the methods password, token and
// application_credential need it.
import * as z from 'zod';
import { ApiError } from '../domain/errors.ts';

const text = z.string().max(255);
const domain = z.union([z.object({ id: text }), z.object({ name: text })]);
/** Keystone's max_password_length. */
const password = z.string().max(4096);
const user = z.union([z.object({ id: text, password }), z.object({ name: text, domain, password })]);
const secret = z.string().max(4096);
const owner = z.union([z.object({ id: text }), z.object({ name: text, domain })]);
const credential = z.union([z.object({ id: text, secret }), z.object({ name: text, user: owner, secret })]);
const project = z.union([z.object({ id: text }), z.object({ name: text, domain })]);
const scope = z.union([
  z.object({ project }),
  z.object({ domain }),
  z.object({ system: z.object({ all: z.boolean() }) }),
  z.object({ unscoped: z.object({}) }),
  z.literal('unscoped'),
]);

const authRequest = z.object({
  auth: z.object({
    identity: z.object({
      methods: z.array(z.string()).min(1).max(8),
      password: z.object({ user }).optional(),
      token: z.object({ id: z.string() }).optional(),
      application_credential: credential.optional(),
    }),
    scope: scope.optional(),
  }),
});

export type AuthRequest = z.infer<typeof authRequest>['auth'];
export type DomainWish = z.infer<typeof domain>;
export type OwnerWish = z.infer<typeof owner>;
export type UserWish = z.infer<typeof user>;
export type CredentialWish = z.infer<typeof credential>;
export type ProjectWish = z.infer<typeof project>;
export type Scope = NonNullable<AuthRequest['scope']>;

/** @throws ApiError 400 that names the first place that is wrong */
export function parseAuthRequest(body: unknown): AuthRequest {
  const parsed = authRequest.safeParse(body);
  if (parsed.success) return parsed.data.auth;
  const [issue] = parsed.error.issues;
  throw malformed(issue?.path.join('/') ?? '', issue?.message ?? '');
}

export const malformed = (place: string, message: string) =>
  new ApiError(400, `Invalid input for field '${place}': ${message}`);
