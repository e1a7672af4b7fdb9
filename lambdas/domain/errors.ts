// Errors that cross a border. Each sets its name, because ASL's ErrorEquals and the edge of the API match on it.

/** An answer to a client: HTTP status and Octavia's faultstring. Thrown anywhere, translated once, at the edge. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly status: number;
  readonly faultstring: string;
  /** `fault` is the body of errors inside a resource; `http` of those before one: routing, limits, unknown parents. */
  readonly shape: 'fault' | 'http';
  constructor(status: number, faultstring: string, options?: ErrorOptions & { shape?: 'fault' | 'http' }) {
    super(faultstring, options);
    this.status = status;
    this.faultstring = faultstring;
    this.shape = options?.shape ?? 'fault';
  }
}

export const notFound = (resource: string, id: string) => new ApiError(404, `${resource} ${id} not found.`);
export const invalid = (message: string) => new ApiError(400, `Validation failure: ${message}`);
export const conflict = (faultstring: string) => new ApiError(409, faultstring);

/** A driver could not do what it was asked: one text for the user, one for the operator. */
export class DriverError extends Error {
  override readonly name = 'DriverError';
  /** What the owner of the load balancer may read. */
  readonly userText: string;
  /** True when the same call may work later without anything being changed. */
  readonly isTransient: boolean;
  constructor(operatorText: string, options?: ErrorOptions & { userText?: string; isTransient?: boolean }) {
    super(operatorText, options);
    this.userText = options?.userText ?? operatorText;
    this.isTransient = options?.isTransient ?? false;
  }
}

/** The world is not there yet: the flow or the queue tries again. Names are matched by Retry in the flows. */
export class NotReady extends Error {
  override readonly name: 'ComputeNotReady' | 'AmphoraNotReady' | 'ConnectionsRemain' | 'LoadBalancerBusy';
  constructor(name: NotReady['name'], message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = name;
  }
}

/** What the work was for is gone or belongs to somebody else by now: end quietly, undo nothing of theirs. */
export class Superseded extends Error {
  override readonly name = 'Superseded';
}
