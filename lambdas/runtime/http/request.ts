// What a handler of the HTTP API gets and gives, free of API Gateway and middy.
import type { Services } from '../services.ts';

/** Who asks: what the authorizer found in the token. */
export interface Caller {
  user_id: string;
  user_name: string;
  /** null for an unscoped token. */
  project_id: string | null;
  roles: string[];
}

export interface ApiRequest {
  services: Services;
  request_id: string;
  method: string;
  /** As the client wrote it, without the query. */
  path: string;
  /** The route's own spelling, `GET /v2.0/lbaas/listeners/{listener_id}`. */
  route: string;
  params: Record<string, string>;
  query: URLSearchParams;
  headers: Record<string, string>;
  /** Parsed JSON; bytes where the service takes some; undefined when there was no body. */
  body: unknown;
  /** undefined: no token, or one that does not hold. */
  caller: Caller | undefined;
  /** Scheme and authority the client used, for links. */
  origin: string;
  /**
   * Octavia's policy hook: the rule follows from the route, the target is a project. To be called once the target is known and
   * before anything is told or changed.
   * @throws ApiError 403
   */
  authorize(projectId: string | null): void;
}

export interface ApiResponse {
  status: number;
  /** JSON; absent: no body at all. */
  body?: unknown;
  /** Anything but JSON, in the place of a body; what it is, the headers say. */
  text?: string;
  /** The same, for what is no text. */
  bytes?: Buffer;
  headers?: Record<string, string>;
}

export type RouteHandler = (request: ApiRequest) => Promise<ApiResponse>;
export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE' | 'HEAD';
export type Routes = Record<`${Method} /${string}`, RouteHandler>;

/** A URL parameter that the route has. */
export const param = (request: ApiRequest, name: string): string => request.params[name] ?? '';
