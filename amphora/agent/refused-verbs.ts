// Why the agent does not do what it is asked, where that is nobody's mistake in the configuration itself.

/** Somebody with newer knowledge, or another load balancer, was here before. */
export class Outdated extends Error {
  override readonly name = 'Outdated';
}

/** There is no such load balancer on this amphora. */
export class UnknownLoadBalancer extends Error {
  override readonly name = 'UnknownLoadBalancer';
}

/** The configuration names contents that were not uploaded, or are gone since. */
export class FilesMissing extends Error {
  override readonly name = 'FilesMissing';
  /** SHA-256 of each. */
  readonly digests: string[];
  constructor(digests: string[]) {
    super(`${digests.length} files are missing`);
    this.digests = digests;
  }
}
