// Timeouts that Octavia does not have: of tunnels (WebSockets, TCP), of connections between two requests, and of requests that do
// not come to their end.
import type { ListenerRow } from '../domain/listener.ts';
import { type Argument, words } from './config.ts';
import type { Mode } from './frontend.ts';

/** Of the frontend. */
export function clientTimeoutLines(listener: ListenerRow, mode: Mode): Argument[][] {
  const { timeout_client_request, timeout_client_keep_alive, timeout_client_data } = listener;
  if (mode !== 'http') return [];
  // HAProxy would hold connections between two requests to the time of a request: each attribute shall do one thing.
  const idleMs = timeout_client_keep_alive ?? (timeout_client_request ? (timeout_client_data ?? 50_000) : null);
  return [
    ...(timeout_client_request ? [words`timeout http-request ${timeout_client_request}`] : []),
    ...(idleMs === null ? [] : [words`timeout http-keep-alive ${idleMs}`]),
  ];
}

/** Of the backend, where HAProxy takes it from for both sides of the tunnel. */
export const tunnelTimeoutLines = ({ timeout_tunnel }: ListenerRow): Argument[][] =>
  timeout_tunnel ? [words`timeout tunnel ${timeout_tunnel}`] : [];
