// What a flow says of its failure, for the reason of a load balancer in ERROR.
/** The name of an error and what it said, as Step Functions hands them on. */
export interface FlowError {
  Error?: string;
  Cause?: string;
}

/** In words: of a flow within a flow its own error, of a task what it threw. */
export const said = ({ Error: name = 'Unknown', Cause: cause = '' }: FlowError): string => {
  try {
    const { errorMessage, ...child } = JSON.parse(cause) as FlowError & { errorMessage?: string };
    return child.Error === undefined ? `${name}: ${errorMessage ?? cause}` : said(child);
  } catch {
    return cause === '' ? name : `${name}: ${cause}`;
  }
};
