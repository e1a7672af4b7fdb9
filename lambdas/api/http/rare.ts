// Routes that are asked for now and then, by administrators: what answers is loaded with the first request, and no cold start reads it.
import type { RouteHandler } from '../../runtime/http/request.ts';

/** @returns a route for each name of a function of the module */
export const rare =
  <Requests extends Record<string, RouteHandler>>(load: () => Promise<Requests>) =>
  (name: keyof Requests): RouteHandler =>
  async (request) => {
    const requests = await load();
    return requests[name]!(request);
  };
