// oslo.middleware's health check, for load balancers in front of the API: 404 unless the deployment wants it.
import { ApiError } from '../domain/errors.ts';
import type { ApiRequest, ApiResponse, Routes } from '../runtime/http/request.ts';

async function isTableThere({ services }: ApiRequest): Promise<boolean> {
  try {
    await services.table.get({ pk: 'HEALTHCHECK', sk: 'HEALTHCHECK' });
    return true;
  } catch (error) {
    services.logger.warn('the table does not answer', { error });
    return false;
  }
}

async function check(request: ApiRequest): Promise<{ isWell: boolean; reason: string }> {
  if (!request.services.config.healthcheck_enabled)
    throw new ApiError(404, 'The resource could not be found.', { shape: 'http' });
  const isWell = await isTableThere(request);
  return { isWell, reason: isWell ? 'OK' : 'The table does not answer.' };
}

async function show(request: ApiRequest): Promise<ApiResponse> {
  const { isWell, reason } = await check(request);
  const status = isWell ? 200 : 503;
  if (request.headers['accept']?.includes('application/json')) {
    return { status, body: { detailed: false, reasons: [reason] } };
  }
  return { status, text: reason, headers: { 'content-type': 'text/plain; charset=UTF-8' } };
}

async function peek(request: ApiRequest): Promise<ApiResponse> {
  return { status: (await check(request)).isWell ? 204 : 503 };
}

export const routes = { 'GET /healthcheck': show, 'HEAD /healthcheck': peek } satisfies Routes;
