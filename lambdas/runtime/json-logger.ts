// Powertools' logger as ours: a line of JSON each. What is secret is left out by the name it goes by, at any depth, so that a detail
// that carries a whole request or row gives nothing away.
import { Logger as PowertoolsLogger } from '@aws-lambda-powertools/logger';
import { correlation } from './correlation.ts';
import type { Logger } from './logger.ts';
import { currentTrace } from './traces.ts';

const secretNames =
  /^(x-auth-token|x-subject-token|authorization|cookie|token|password|.*private_key|.*heartbeat_key|sealing_key|hmac|secret)$/i;

const withoutSecrets = (name: string, value: unknown): unknown => (secretNames.test(name) ? '[left out]' : value);

/** A detail of its own name counts more; a line outside of any request has the trace of its function. */
const about = (detail: Record<string, unknown> = {}): Record<string, unknown> => {
  const trace_id = currentTrace()?.trace_id;
  return { ...(trace_id && { trace_id }), ...correlation(), ...detail };
};

export function jsonLogger(serviceName: string): Logger {
  const logger = new PowertoolsLogger({ serviceName, jsonReplacerFn: withoutSecrets });
  return {
    debug: (message, detail) => logger.debug(message, about(detail)),
    info: (message, detail) => logger.info(message, about(detail)),
    warn: (message, detail) => logger.warn(message, about(detail)),
    error: (message, detail) => logger.error(message, about(detail)),
  };
}
