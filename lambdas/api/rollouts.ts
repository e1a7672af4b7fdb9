// Routes of roll-outs of an image.
import type { Routes } from '../runtime/http/request.ts';
import { rare } from './http/rare.ts';

const by = rare(() => import('./rollout-requests.ts'));

export const routes = {
  'GET /v2.0/octavia/rollouts': by('list'),
  'POST /v2.0/octavia/rollouts': by('create'),
  'GET /v2.0/octavia/rollouts/{rollout_id}': by('show'),
  'PUT /v2.0/octavia/rollouts/{rollout_id}': by('update'),
  'DELETE /v2.0/octavia/rollouts/{rollout_id}': by('cancel'),
} satisfies Routes;
