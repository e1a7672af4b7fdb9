// Which functions X-Ray follows: those a request goes through. What runs by the clock or by heartbeats has nothing to follow, and a
// trace of it each second would cost more than the function.
import { Tracing } from 'aws-cdk-lib/aws-lambda';

const byThemselves = new Set(['heartbeats', 'health-scan', 'housekeeping', 'worker-archives', 'first-credentials']);

/** Step Functions and SQS hand traces on, so that whoever is passed through takes part in the trace of its caller. */
export const tracingOf = (name: string): Tracing => (byThemselves.has(name) ? Tracing.PASS_THROUGH : Tracing.ACTIVE);
