// The one middy stack, and the only place that names middy: request id, caller, route, policy, JSON body, handler, serialise;
// and one onError that turns any error into a fault body of the service at hand.
import middy from '@middy/core';
import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2, Context } from 'aws-lambda';
import { ApiError } from '../../domain/errors.ts';
import { correlatedRequest } from '../correlation.ts';
import type { Services } from '../services.ts';
import type { ApiRequest, ApiResponse, Caller, Routes } from './request.ts';
import { type Match, type Router, routerOf } from './router.ts';

/** An HTTP API (payload 2.0) event after our authorizer, whose answer is always "let it in" so that 401s have a body of ours. */
export type HttpEvent = APIGatewayProxyEventV2 & {
  requestContext: { authorizer?: { lambda?: Record<string, unknown> } };
};
export type HttpHandler = (event: HttpEvent, context: Context) => Promise<APIGatewayProxyStructuredResultV2>;

export interface Service {
  routes: Routes;
  /** Spellings of a path that mean the same as a route's. */
  canonicalPath(path: string): string;
  /** Requests that may come without a token. */
  isPublic(method: string, path: string): boolean;
  /** Decides by route and caller; throws 403. */
  authorize(request: ApiRequest, caller: Caller, projectId: string | null): void;
  /** The body of an error. */
  fault(error: ApiError, requestId: string): { body: unknown; headers?: Record<string, string> };
  /** Whether a body is taken as the bytes it is, and not as JSON. */
  takesBytes?(headers: Record<string, string>): boolean;
  /** Lets through or throws 406/415. */
  negotiate?(headers: Record<string, string>, method: string, path: string): void;
}

const maxBodyBytes = 1024 * 1024;

interface State extends Record<string, unknown> {
  request?: ApiRequest;
  match?: Match;
}
type Request = middy.Request<HttpEvent, APIGatewayProxyStructuredResultV2, Error, Context, State>;

/** The id under which a client's own service asks; an answer has an id of its own all the same, as oslo.middleware does it. */
const globalRequestIdOf = ({ headers }: HttpEvent): string | undefined =>
  headers['x-openstack-request-id']?.match(/^req-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i)?.[0];

const requestIdOf = (event: HttpEvent): string => `req-${event.requestContext.requestId}`;

export function callerOf(event: HttpEvent): Caller | undefined {
  const found = event.requestContext.authorizer?.lambda;
  if (typeof found?.['user_id'] !== 'string') return undefined;
  return {
    user_id: found['user_id'],
    user_name: String(found['user_name'] ?? ''),
    project_id: typeof found['project_id'] === 'string' && found['project_id'] !== '' ? found['project_id'] : null,
    roles: String(found['roles'] ?? '')
      .split(',')
      .filter(Boolean),
  };
}

function requestOf(event: HttpEvent, services: Services, service: Service): ApiRequest {
  const caller = callerOf(event);
  const request: ApiRequest = {
    services,
    request_id: requestIdOf(event),
    method: event.requestContext.http.method,
    path: event.rawPath,
    route: '',
    params: {},
    query: new URLSearchParams(event.rawQueryString),
    headers: event.headers as Record<string, string>,
    body: undefined,
    caller,
    origin: `${event.headers['x-forwarded-proto'] ?? 'https'}://${event.headers['host'] ?? event.requestContext.domainName}`,
    authorize: (projectId) => {
      if (caller === undefined) throw unauthenticated();
      service.authorize(request, caller, projectId);
    },
  };
  return request;
}

const unauthenticated = () =>
  new ApiError(401, 'The request you have made requires authentication.', { shape: 'http' });

const begin = (services: Services, service: Service) => ({
  before: (request: Request) => {
    request.internal.request = requestOf(request.event, services, service);
    const { headers, method, path } = request.internal.request;
    service.negotiate?.(headers, method, path);
  },
});

const route = (service: Service, router: Router) => ({
  before: ({ internal }: Request) => {
    const request = internal.request!;
    const path = service.canonicalPath(request.path);
    if (request.caller === undefined && !service.isPublic(request.method, path)) throw unauthenticated();
    const match = router.match(request.method, path);
    request.route = match.route;
    request.params = match.params;
    internal.match = match;
  },
});

const readBody = (service: Service) => ({
  before: ({ event, internal }: Request) => {
    if (event.body === undefined || event.body === '') return;
    const bytes = Buffer.from(event.body, event.isBase64Encoded ? 'base64' : 'utf8');
    if (bytes.length > maxBodyBytes) throw new ApiError(413, 'Request is too large.');
    const request = internal.request!;
    if (service.takesBytes?.(request.headers)) {
      request.body = bytes;
      return;
    }
    try {
      request.body = JSON.parse(bytes.toString('utf8'));
    } catch (cause) {
      throw new ApiError(400, 'Request is not in valid JSON format', { cause });
    }
  },
});

function serialised(response: ApiResponse, requestId: string): APIGatewayProxyStructuredResultV2 {
  const headers: Record<string, string> = { 'x-openstack-request-id': requestId, ...response.headers };
  if (response.text !== undefined) return { statusCode: response.status, headers, body: response.text };
  if (response.bytes !== undefined)
    return { statusCode: response.status, headers, body: response.bytes.toString('base64'), isBase64Encoded: true };
  if (response.body === undefined) return { statusCode: response.status, headers };
  return {
    statusCode: response.status,
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(response.body),
  };
}

/** A transaction that only met others. */
const isLost = (error: Error): boolean =>
  error.name === 'TransactionCancelled' && (error as { isConflict?: boolean }).isConflict === true;

/** Anything that is not an answer to the client is a bug of ours: logged whole, told as a 500 without its text. */
function asApiError(error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  const isAway = error instanceof Error && (error.name === 'TableUnavailable' || isLost(error));
  if (isAway) return new ApiError(503, 'The service is busy. Please try again.', { cause: error });
  return new ApiError(500, 'An unknown exception occurred.', { cause: error });
}

const faults = (services: Services, service: Service) => ({
  onError: (request: Request) => {
    const error = asApiError(request.error);
    const requestId = requestIdOf(request.event);
    const global = globalRequestIdOf(request.event);
    const ids = { request_id: requestId, ...(global === undefined ? {} : { global_request_id: global }) };
    if (error.status >= 500) services.logger.error('request failed', { ...ids, error: request.error });
    const { body, headers } = service.fault(error, requestId);
    request.response = serialised({ status: error.status, body, ...(headers ? { headers } : {}) }, requestId);
  },
});

/** The route's answer ends the chain as a middleware's does, because middy tells a handler nothing of what middlewares found out. */
const answer = () => ({
  before: async ({ internal }: Request) => {
    const request = internal.request!;
    const { route, request_id } = request;
    const answered = correlatedRequest(route.split(' ')[0]!, request_id, () => internal.match!.handler(request));
    return serialised(await answered, request_id);
  },
});

/** The Lambda handler of a service: what is exported is this wrapped value. */
export function httpHandler(services: Services, service: Service): HttpHandler {
  const router = routerOf(service.routes);
  return middy<HttpEvent, APIGatewayProxyStructuredResultV2, Error, Context, State>()
    .use(faults(services, service))
    .use(begin(services, service))
    .use(route(service, router))
    .use(readBody(service))
    .use(answer()) as unknown as HttpHandler;
}
