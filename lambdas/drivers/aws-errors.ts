// Every error of AWS that a driver tells apart, as a question about whatever was thrown. Names are those of SDK v3.

interface AwsError extends Error {
  /** EC2's codes, and Node's own for sockets. */
  Code?: string;
  code?: string;
  $metadata?: { httpStatusCode?: number };
}

const asAwsError = (error: unknown): AwsError | undefined => (error instanceof Error ? (error as AwsError) : undefined);
const namesOf = (error: unknown) => [asAwsError(error)?.name, asAwsError(error)?.Code, asAwsError(error)?.code];
/** By the name of the class, or the code beside it. */
export const isNamed = (error: unknown, pattern: RegExp): boolean =>
  namesOf(error).some((name) => name !== undefined && pattern.test(name));

export const isThrottled = (error: unknown) =>
  isNamed(
    error,
    /throttl|^TooManyRequests|^RequestLimitExceeded$|^ProvisionedThroughputExceeded|^SlowDown$|^BandwidthLimitExceeded$/i,
  ) || asAwsError(error)?.$metadata?.httpStatusCode === 429;

/** The thing is not there: EC2's `InvalidInstanceID.NotFound`, and the names the other services use. */
export const isNotFound = (error: unknown) =>
  isNamed(
    error,
    /\.NotFound$|NotFoundException$|DoesNotExist$|^NonExistentQueue$|^QueueDoesNotExist$|^NoSuchKey$|^NotFound$/,
  );

export const isAlreadyThere = (error: unknown) =>
  isNamed(error, /AlreadyExists|\.Duplicate$|\.InUse$|^ResourceExistsException$/);

export const isNotAllowed = (error: unknown) =>
  isNamed(error, /^AccessDenied|^UnauthorizedOperation$|^UnrecognizedClientException$/);

export const isServerFault = (error: unknown) =>
  (asAwsError(error)?.$metadata?.httpStatusCode ?? 0) >= 500 ||
  isNamed(error, /^InternalServerError$|^InternalFailure$|^ServiceUnavailable/);

/** No answer: the request may have been carried out all the same. */
export const isNetworkFault = (error: unknown) =>
  isNamed(
    error,
    /^TimeoutError$|^RequestTimeout|^NetworkingError$|^(ECONN|EAI_|ENOTFOUND|EPIPE|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH)/,
  );

/** The same call may work later. */
export const isPassing = (error: unknown) => isThrottled(error) || isServerFault(error) || isNetworkFault(error);

/** The request breaks a rule of the service; it will not work later either. */
export const isInvalid = (error: unknown) =>
  isNamed(error, /^ValidationException$|^ValidationError$|^InvalidParameter/);

// DynamoDB
export const isConditionFailed = (error: unknown) => isNamed(error, /^ConditionalCheckFailedException$/);
export const isTransactionCancelled = (error: unknown) => isNamed(error, /^TransactionCanceledException$/);
export const isConflict = (error: unknown) =>
  isNamed(error, /^TransactionConflictException$|^TransactionInProgressException$/);
/** DynamoDB tells this apart from other invalid requests by its text alone. */
export const isItemTooLarge = (error: unknown) => isInvalid(error) && isItemTooLargeText(asAwsError(error)?.message);
export const isItemTooLargeText = (text: string | undefined) => /item size.*exceeded/i.test(text ?? '');
