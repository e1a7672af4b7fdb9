// What each line of the log belongs to: the request that began it, by its id as Octavia's clients see it and by its trace, wherever
// the work has got to since. It is handed on in messages, so that a worker's lines can be found by what a client was told.
import { AsyncLocalStorage } from 'node:async_hooks';
import { currentTrace, recorded } from './traces.ts';

export interface Correlation {
  /** `x-openstack-request-id` of the answer. */
  request_id?: string;
  /** Of the function that took the request. */
  trace_id?: string;
  load_balancer_id?: string;
  amphora_id?: string;
  operation_id?: string;
  execution?: string;
}

const names = ['request_id', 'trace_id', 'load_balancer_id', 'amphora_id', 'operation_id', 'execution'] as const;
const storage = new AsyncLocalStorage<Correlation>();

/** Of the work at hand. */
export const correlation = (): Correlation => storage.getStore() ?? {};

/** What goes with a message. */
export function origin(): Pick<Correlation, 'request_id' | 'trace_id'> {
  const { request_id, trace_id } = correlation();
  return { ...(request_id && { request_id }), ...(trace_id && { trace_id }) };
}

/** The ids among what a message or task says. */
const idsAmong = (told: unknown): Correlation =>
  Object.fromEntries(
    names.flatMap((name) => {
      const id = (told as Record<string, unknown> | null)?.[name];
      return typeof id === 'string' ? [[name, id]] : [];
    }),
  );

/** Everything logged meanwhile has these ids, and the function's trace has a part of this name with them. */
export const correlated = <T>(name: string, told: unknown, work: () => Promise<T>): Promise<T> => {
  const ids = { ...correlation(), ...idsAmong(told) };
  return storage.run(ids, () => recorded(name, { ...ids }, work));
};

/** Of a request, where all begins. */
export function correlatedRequest<T>(name: string, request_id: string, work: () => Promise<T>): Promise<T> {
  const trace_id = currentTrace()?.trace_id;
  return correlated(name, { request_id, ...(trace_id && { trace_id }) }, work);
}
