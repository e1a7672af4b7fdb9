// What Octavia answers to clients that do not speak JSON.
import { ApiError } from '../../domain/errors.ts';

const accepted = ['application/json', 'application/*', '*/*'];

/** What is not part of Octavia's API speaks what its readers do. */
const otherwise = new Set(['/healthcheck', '/docs', '/openapi.json']);

/** @throws ApiError 406, 415 */
export function negotiate(headers: Record<string, string>, method: string, path: string): void {
  if (otherwise.has(path)) return;
  const accept = headers['accept'];
  const isMediaType = accept?.includes('/');
  if (accept && isMediaType && !accepted.some((type) => accept.includes(type))) {
    throw new ApiError(406, 'Only content type application/json is accepted.', { shape: 'http' });
  }
  const contentType = headers['content-type']?.split(';')[0]?.trim();
  const hasBody = (method === 'POST' || method === 'PUT') && headers['content-length'] !== '0';
  if (hasBody && contentType && !/^application\/([\w.-]+\+)?json$/.test(contentType)) {
    throw new ApiError(415, `Unknown mimetype: ${contentType}`);
  }
}
