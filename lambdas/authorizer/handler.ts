// Tells every API behind API Gateway who asks: keystonemiddleware's place in front of Octavia. An HTTP API's authorizer with the
// simple response of payload 2.0, to be set up without identity sources and without a cache of its own, or a request without
// a token never gets here.
import type { APIGatewayRequestAuthorizerEventV2, APIGatewaySimpleAuthorizerWithContextResult } from 'aws-lambda';
import type { Services } from '../runtime/services.ts';
import { tokensOf, type ValidToken } from '../runtime/tokens/tokens.ts';

/** What `callerOf` of the HTTP stack reads; API Gateway hands on flat values only. */
export interface CallerContext {
  user_id: string;
  user_name: string;
  /** Absent for an unscoped token. */
  project_id?: string;
  /** Names with commas between. */
  roles: string;
}

export type AuthorizerAnswer = APIGatewaySimpleAuthorizerWithContextResult<CallerContext | Record<string, never>>;
export type AuthorizerEvent = Pick<APIGatewayRequestAuthorizerEventV2, 'headers'>;
export type AuthorizerHandler = (event: AuthorizerEvent) => Promise<AuthorizerAnswer>;

const contextOf = ({ user, project, roles }: ValidToken): CallerContext => ({
  user_id: user.id,
  user_name: user.name,
  ...(project ? { project_id: project.id } : {}),
  roles: roles.map(({ name }) => name).join(','),
});

/**
 * Always lets the request in, as an HTTP API cannot shape the body of a 401: the API answers that itself when there is no caller in the
 * context. A table that is away is thrown on, because "no caller" would send every client to log in again.
 */
export function authorizerHandler(services: Services): AuthorizerHandler {
  const tokens = tokensOf(services);
  return async ({ headers }) => {
    const token = headers?.['x-auth-token'];
    const valid = token ? await tokens.validateFast(token) : undefined;
    return { isAuthorized: true, context: valid ? contextOf(valid) : {} };
  };
}
