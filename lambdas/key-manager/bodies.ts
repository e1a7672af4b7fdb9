// Bodies of requests, judged by schemas, with Barbican's texts for what does not match.
import * as z from 'zod';
import { ApiError } from '../domain/errors.ts';
import type { ApiRequest } from '../runtime/http/request.ts';

export const mismatch = (schema: string, reason: string, property: string) =>
  new ApiError(400, `Provided object does not match schema '${schema}': ${reason}. Invalid property: '${property}'`);

/** @throws ApiError 400, 415 */
export function parsedBody<T>(request: ApiRequest, name: string, schema: z.ZodType<T>): T {
  if (Buffer.isBuffer(request.body)) {
    const type = request.headers['content-type'];
    throw new ApiError(415, `Unexpected content type: ${type}. Expected content types are: ['application/json']`);
  }
  const parsed = schema.safeParse(request.body ?? {});
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0]!;
  throw mismatch(name, issue.message, issue.path.join('.'));
}

/** Names of nothing but blanks are none. */
export const optionalName = z
  .string()
  .max(255)
  .nullish()
  .transform((name) => name?.trim() || null);
