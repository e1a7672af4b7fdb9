// Finds the handler of a method and path. Literal segments win over parameters; the table is made once per process.
import { ApiError } from '../../domain/errors.ts';
import type { RouteHandler, Routes } from './request.ts';

interface Node {
  literals: Map<string, Node>;
  parameter?: { name: string; node: Node };
  handlers: Map<string, { route: string; handler: RouteHandler }>;
}

const node = (): Node => ({ literals: new Map(), handlers: new Map() });

export interface Match {
  route: string;
  handler: RouteHandler;
  params: Record<string, string>;
}

export interface Router {
  /** @throws ApiError 404 for a path nobody has, 405 for a method the path does not have */
  match(method: string, path: string): Match;
}

function insert(root: Node, route: string, handler: RouteHandler): void {
  const [method, path] = route.split(' ') as [string, string];
  let at = root;
  for (const segment of path.split('/').filter(Boolean)) {
    if (segment.startsWith('{')) {
      at.parameter ??= { name: segment.slice(1, -1), node: node() };
      at = at.parameter.node;
    } else {
      if (!at.literals.has(segment)) at.literals.set(segment, node());
      at = at.literals.get(segment)!;
    }
  }
  at.handlers.set(method, { route, handler });
}

const decoded = (segment: string): string => {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
};

export function routerOf(routes: Routes): Router {
  const root = node();
  for (const [route, handler] of Object.entries(routes)) insert(root, route, handler);
  return {
    match(method, path) {
      const params: Record<string, string> = {};
      let at: Node | undefined = root;
      for (const segment of path.split('/').filter(Boolean)) {
        const literal: Node | undefined = at.literals.get(segment);
        if (!literal && at.parameter) params[at.parameter.name] = decoded(segment);
        at = literal ?? at.parameter?.node;
        if (!at) throw new ApiError(404, 'The resource could not be found.', { shape: 'http' });
      }
      const found = at.handlers.get(method);
      if (found) return { ...found, params };
      // The method is one of a single resource, asked of all of them: Octavia misses the argument, not the method.
      const single = at.parameter;
      if ((method === 'PUT' || method === 'DELETE') && at.handlers.size > 0 && single?.node.handlers.has(method))
        throw new ApiError(400, `Missing argument: "${single.name === 'project_id' ? 'project_id' : 'id'}"`);
      if (at.handlers.size === 0) throw new ApiError(404, 'The resource could not be found.', { shape: 'http' });
      throw new ApiError(405, 'The method is not allowed for this resource.', { shape: 'http' });
    },
  };
}
