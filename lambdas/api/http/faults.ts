// The two families of Octavia's error bodies, kept apart: errors inside a resource, and errors before one was reached.
import type { ApiError } from '../../domain/errors.ts';

const titles: Record<number, string> = {
  401: 'Unauthorized',
  404: 'Not Found',
  405: 'Method Not Allowed',
  406: 'Not Acceptable',
};

/** Keystone's middleware answers 401s, so they look like its. */
function unauthorized(error: ApiError) {
  return {
    body: { error: { code: 401, title: 'Unauthorized', message: error.faultstring } },
    headers: { 'www-authenticate': 'Keystone uri="/identity"' },
  };
}

export function faultOf(error: ApiError): { body: unknown; headers?: Record<string, string> } {
  if (error.status === 401) return unauthorized(error);
  if (error.shape === 'http') {
    return {
      body: { code: error.status, title: titles[error.status] ?? 'Bad Request', description: error.faultstring },
    };
  }
  const faultcode = error.status >= 500 ? 'Server' : 'Client';
  return { body: { faultcode, faultstring: error.faultstring, debuginfo: null } };
}
