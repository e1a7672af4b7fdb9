// Routes of the amphorae resource.
import type { Routes } from '../runtime/http/request.ts';
import { rare } from './http/rare.ts';

const by = rare(() => import('./amphora-requests.ts'));

export const routes = {
  'GET /v2.0/octavia/amphorae': by('list'),
  'GET /v2.0/octavia/amphorae/{amphora_id}': by('show'),
  'DELETE /v2.0/octavia/amphorae/{amphora_id}': by('remove'),
  'GET /v2.0/octavia/amphorae/{amphora_id}/stats': by('statistics'),
  'PUT /v2.0/octavia/amphorae/{amphora_id}/config': by('configure'),
  'PUT /v2.0/octavia/amphorae/{amphora_id}/certificate': by('rotate'),
  'PUT /v2.0/octavia/amphorae/{amphora_id}/failover': by('failover'),
} satisfies Routes;
