// Powertools' logger as ours: a line of JSON each. What is secret is left out by the name it goes by, at any depth, so that a detail
// that carries a whole request or row gives nothing away.
import { Logger as PowertoolsLogger } from '@aws-lambda-powertools/logger';
import type { Logger } from './logger.ts';

const secretNames =
  /^(x-auth-token|x-subject-token|authorization|cookie|token|password|.*private_key|.*heartbeat_key|sealing_key|hmac|secret)$/i;

const withoutSecrets = (name: string, value: unknown): unknown => (secretNames.test(name) ? '[left out]' : value);

export function jsonLogger(serviceName: string): Logger {
  const logger = new PowertoolsLogger({ serviceName, jsonReplacerFn: withoutSecrets });
  return {
    debug: (message, detail = {}) => logger.debug(message, detail),
    info: (message, detail = {}) => logger.info(message, detail),
    warn: (message, detail = {}) => logger.warn(message, detail),
    error: (message, detail = {}) => logger.error(message, detail),
  };
}
