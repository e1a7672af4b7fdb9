// Which logs amphorae keep, by the settings: Octavia's connection_logging and user_log_format.
import { defaultLogFormat, type LoggingOptions } from '../haproxy/logging.ts';
import type { Config } from '../runtime/config.ts';

/** Undefined where nobody takes them: then they cost nothing either. */
export const loggingOf = (config: Config): LoggingOptions | undefined =>
  config.objects_driver === 'noop'
    ? undefined
    : { format: config.user_log_format || defaultLogFormat, traffic: config.connection_logging };
