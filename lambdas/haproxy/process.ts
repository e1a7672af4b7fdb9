// What holds for the whole HAProxy process: its `global` and `defaults` sections.
import type { ListenerRow } from '../domain/listener.ts';
import { type Argument, linesOf, name, type Section, section, words } from './config.ts';
import { adminTarget, type LoggingOptions, proxyTarget } from './logging.ts';

export interface RenderOptions {
  amphora_id: string;
  /** Old processes end at the latest this long after a reload. */
  hardStopAfterMs: number;
  /** Connections of a listener without a limit; 50,000 unless told. */
  maxConnectionsDefault?: number;
  /** Undefined where nobody takes logs. */
  logging?: LoggingOptions;
}

/** Octavia's ceiling for one process. */
const maxConnectionsOfProcess = 1_000_000;
/** Octavia renders its ceiling here, which costs HAProxy 140 MB for nothing to serve. */
const maxConnectionsWithoutListeners = 100;

/** Connections a listener may have: -1 and 0 say that the user set no limit. */
export const connectionsOf = (listener: ListenerRow, options: RenderOptions): number => {
  const limit = listener.connection_limit ?? -1;
  return limit > 0 ? limit : (options.maxConnectionsDefault ?? 50_000);
};

/**
 * @param listeners those that are rendered
 * @param more lines of `global` that what is rendered needs
 */
export function processSections(listeners: ListenerRow[], options: RenderOptions, more: Argument[][] = []): Section[] {
  const sum = listeners.reduce((total, listener) => total + connectionsOf(listener, options), 0);
  const maxConnections = sum === 0 ? maxConnectionsWithoutListeners : Math.min(sum, maxConnectionsOfProcess);
  return [
    section(
      null,
      words`global`,
      linesOf(
        null,
        words`node ${name(options.amphora_id)}`,
        // Only `level admin` may add and delete servers. In quotes, since the directory may have a space.
        words`stats socket '{{DIRECTORY}}/haproxy.sock' mode 600 level admin`,
        words`server-state-file '{{DIRECTORY}}/servers-state'`,
        words`hard-stop-after ${options.hardStopAfterMs}`,
        words`maxconn ${maxConnections}`,
        // Better to serve fewer connections than to refuse to start where file descriptors are short, as on a laptop.
        words`no strict-limits`,
        ...adminTarget(options.logging),
        ...more,
      ),
    ),
    section(
      null,
      words`defaults`,
      linesOf(
        null,
        words`retries 3`,
        words`option redispatch`,
        words`option splice-request`,
        words`option splice-response`,
        words`option http-keep-alive`,
        ...proxyTarget(options.logging),
      ),
    ),
  ];
}
