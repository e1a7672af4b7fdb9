// AWS's list prices that the cost model counts with: us-east-1, on demand, US dollars, without free tiers, as of November 2026.
// They change rarely; whoever decides by them looks at aws.amazon.com/<service>/pricing first.

export const pricesOf = { region: 'us-east-1', date: '2026-11' };
export const hoursPerMonth = 730;
const million = 1e6;

export const prices = {
  /** DynamoDB on demand: a write of 1 KB, a strongly consistent read of 4 KB. */
  writeUnit: 0.625 / million,
  readUnit: 0.125 / million,
  storedGbMonth: 0.25,
  /** Lambda on arm64. */
  invocation: 0.2 / million,
  gbSecond: 0.0000133334,
  /** SQS; FIFO queues cost a little more. */
  standardRequest: 0.4 / million,
  fifoRequest: 0.5 / million,
  /** Step Functions, standard. */
  transition: 25 / million,
  /** EventBridge, events of our own. */
  event: 1 / million,
  /** API Gateway, HTTP APIs. */
  httpRequest: 1 / million,
  /** CloudWatch. */
  logGb: 0.5,
  alarmMonth: 0.1,
  metricMonth: 0.3,
  keyMonth: 1,
  secretMonth: 0.4,
  /** EBS gp3. */
  diskGbMonth: 0.08,
  interfaceEndpointHour: 0.01,
  balancerHour: 0.0225,
  /** Capacity units of the Application and the Network Load Balancer. */
  applicationUnitHour: 0.008,
  networkUnitHour: 0.006,
} as const;

/** An hour of a machine with Linux. */
export const instanceHours: Readonly<Record<string, number>> = {
  't4g.nano': 0.0042,
  't4g.micro': 0.0084,
  't4g.small': 0.0168,
  't4g.medium': 0.0336,
  'c7g.medium': 0.0363,
  'c7g.large': 0.0725,
};
