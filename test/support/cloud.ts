// A seeded cloud with its identity service behind its authorizer, as a client meets them: a token goes in, an answer comes out.
import type { Context } from 'aws-lambda';
import { authorizerHandler } from '../../lambdas/authorizer/handler.ts';
import { identityHandler } from '../../lambdas/identity/handler.ts';
import { type SeededIds, seedCloud } from '../../lambdas/identity/seed.ts';
import { type Answer, answerOf, type HttpWish, httpEvent } from './http.ts';
import { type TestServices, testServices } from './services.ts';

export const adminPassword = 'correct horse';
export const demoPassword = 'battery staple';

export interface Cloud {
  services: TestServices;
  ids: SeededIds;
  ask(wish: HttpWish & { token?: string }): Promise<Answer>;
  /** Asks for a token; `scope` is the body's, absent for an unscoped token. */
  login(name: string, password: string, scope?: unknown, query?: Record<string, string>): Promise<Answer>;
}

const inDefault = { domain: { id: 'default' } };
export const onProject = (name: string) => ({ project: { name, ...inDefault } });
export const tokensPath = '/identity/v3/auth/tokens';

export const passwordLogin = (user: object, scope?: unknown) => ({
  auth: { identity: { methods: ['password'], password: { user } }, ...(scope === undefined ? {} : { scope }) },
});

export async function seededCloud(overrides: Partial<TestServices> = {}): Promise<Cloud> {
  const services = testServices(overrides);
  const ids = await seedCloud(services, { adminPassword, demoPassword });
  const authorize = authorizerHandler(services);
  const identity = identityHandler(services);
  const ask: Cloud['ask'] = async ({ token, ...wish }) => {
    const headers = { ...wish.headers, ...(token ? { 'X-Auth-Token': token } : {}) };
    const event = httpEvent({ ...wish, headers });
    const { context } = await authorize(event);
    const requestContext = { ...event.requestContext, authorizer: { lambda: { ...context } } };
    return answerOf(await identity({ ...event, requestContext }, {} as Context));
  };
  const login: Cloud['login'] = (name, password, scope, query) => {
    const body = passwordLogin({ name, ...inDefault, password }, scope);
    return ask({ method: 'POST', path: tokensPath, body, ...(query ? { query } : {}) });
  };
  return { services, ids, ask, login };
}
