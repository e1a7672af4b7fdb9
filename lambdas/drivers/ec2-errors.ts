// Every error of EC2 that a driver tells apart, beside those all services have. Codes are those of EC2's API reference.
import { DriverError } from '../domain/errors.ts';
import { isAlreadyThere, isNamed, isNotFound, isPassing, isThrottled } from './aws-errors.ts';

const textOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/**
 * Not here and not now: another zone or type may do. The first of them comes as a server fault (HTTP 500), the last when the zone has
 * no such type at all.
 */
export const isNoCapacity = (error: unknown): boolean =>
  isNamed(
    error,
    /^Insufficient(Instance|Host|ReservedInstance)?Capacity|^Unsupported$|^InsufficientFreeAddressesInSubnet$/,
  );

/** What the account may have at most is used up. Requests that come too fast are named alike. */
export const isQuota = (error: unknown): boolean =>
  !isThrottled(error) && isNamed(error, /LimitExceeded$|^ResourceLimitExceeded|^MaxSpotInstanceCountExceeded$/);

/** A spread placement group takes seven instances in a zone. */
export const isGroupFull = (error: unknown): boolean => isQuota(error) && /placement group/i.test(textOf(error));

/** The client token was used for a request that said something else. */
export const isTokenUsed = (error: unknown): boolean => isNamed(error, /^IdempotentParameterMismatch$/);

/** Deletion of an attached interface says so in its text alone. */
export const isInUse = (error: unknown): boolean =>
  isNamed(error, /\.InUse$|^DependencyViolation$/) ||
  (isNamed(error, /^InvalidParameterValue$/) && /in use/i.test(textOf(error)));

/** The address is not, or no longer, at that interface. */
export const isNotAssigned = (error: unknown): boolean =>
  isNamed(error, /^InvalidParameterValue$|^InvalidIPAddress/) && /not assigned/i.test(textOf(error));

/** Another one that attaches interfaces was faster. */
const isDeviceTaken = (error: unknown): boolean =>
  isNamed(error, /^InvalidParameterValue$/) && /attached at device index/i.test(textOf(error));

/** No quota: how many interfaces, and addresses on each, follows from the type of the machine. */
const isMachineFull = (error: unknown): boolean => isNamed(error, /^(PrivateIpAddress|Attachment)LimitExceeded$/);

/** @param what was asked for, for the operator */
export function asDriverError(what: string, cause: unknown): DriverError {
  const code = cause instanceof Error ? cause.name : 'Error';
  if (isMachineFull(cause)) return new DriverError(`${what}: ${code}: ${textOf(cause)}`, { cause, userText: tooSmall });
  if (isQuota(cause)) {
    const advice = 'A quota of the account is used up: have it raised in Service Quotas, or end what is not used';
    return new DriverError(`${what}: ${code}: ${textOf(cause)}. ${advice}.`, { cause, userText: noRoom });
  }
  if (isNoCapacity(cause)) return new DriverError(`${what}: ${code}: ${textOf(cause)}`, { cause, userText: noRoom });
  return new DriverError(`${what}: ${code}: ${textOf(cause)}`, { cause, isTransient: isPassing(cause) });
}

const noRoom = 'The cloud has no room for another machine or address of this load balancer at the moment.';

const tooSmall =
  'The machine of the amphora has no room for another address or interface: a compute flavor of a larger type has.';

/** @throws DriverError */
export async function asking<T>(what: string, request: () => Promise<T>): Promise<T> {
  try {
    return await request();
  } catch (error) {
    throw error instanceof DriverError ? error : asDriverError(what, error);
  }
}

/**
 * Of work that is tried again as a whole: what was made a moment ago is not seen by the next request yet, what goes is still in use, and
 * somebody else may do the same. None of it is an answer for good.
 * @throws DriverError
 */
export async function eventually<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const { cause } = error as Error;
    const isUnsettled = [isNotFound, isInUse, isAlreadyThere, isNotAssigned, isDeviceTaken].some((is) => is(cause));
    if (!isUnsettled) throw error;
    throw new DriverError((error as Error).message, { cause, isTransient: true });
  }
}
