// The functions of the control plane: which file each is, and what it may do. Roles are made from this and from nothing else.

export type QueueName = 'work' | 'operations' | 'heartbeats' | 'archives' | 'scans';

export interface FunctionSpec {
  /** Under lambdas/. */
  entry: string;
  memoryMb: number;
  timeoutSeconds: number;
  table: 'none' | 'read' | 'write';
  /** Seals or opens what lies sealed in the table. */
  seals?: true;
  /** Reads certificates of users where they keep them, Secrets Manager included. */
  readsSecrets?: true;
  /** Reads the password the first administrator gets. */
  readsAdminSecret?: true;
  /** Has certificates made, or shows the control plane's own. */
  certifies?: true;
  sends?: readonly QueueName[];
  publishes?: true;
  /** Flows it starts, and may look at under the name it gave them. */
  starts?: readonly string[];
  /** Looks at executions of every flow. */
  describesFlows?: true;
  /** Puts archives of logs, or hands on the right to. */
  putsObjects?: true;
  /** Of the machines amphorae run on it builds some, or ends some. */
  machines?: 'builds' | 'ends';
  /** Knows the addresses of VIPs; or says to AWS who may reach them; or moves them as well. */
  vips?: 'knows' | 'filters' | 'moves';
  /** Looks at machines of users. */
  describesInstances?: true;
  /** Talks to amphorae. Of AWS it reaches the table and S3 only. */
  inVpc?: true;
}

/** A third of a core and up to a whole one: what serves people is made to answer at once, what works for itself is not. */
const small = { memoryMb: 512 };
const fast = { memoryMb: 1_769 };
const toTheWorker = ['work', 'operations'] as const;

/** Longer than a step of a flow waits for its task would make two of them run at once: 60 s in every flow. */
const taskTimeout = { timeoutSeconds: 55 };
/** The HTTP API gives up after 30 s. */
const apiTimeout = { timeoutSeconds: 29 };

export const functions = {
  api: {
    entry: 'api/lambda.ts',
    ...fast,
    ...apiTimeout,
    table: 'write',
    seals: true,
    readsSecrets: true,
    sends: toTheWorker,
    publishes: true,
    vips: 'knows',
  },
  identity: { entry: 'identity/lambda.ts', ...fast, ...apiTimeout, table: 'write', seals: true },
  'first-credentials': {
    entry: 'identity/lambda-first-credentials.ts',
    ...fast,
    timeoutSeconds: 60,
    table: 'write',
    readsAdminSecret: true,
  },
  network: { entry: 'network/lambda.ts', ...fast, ...apiTimeout, table: 'read', vips: 'knows' },
  'key-manager': { entry: 'key-manager/lambda.ts', ...fast, ...apiTimeout, table: 'write', seals: true },
  authorizer: { entry: 'authorizer/lambda.ts', ...fast, timeoutSeconds: 10, table: 'read', seals: true },
  'worker-apply': {
    entry: 'worker/lambda-apply.ts',
    ...fast,
    timeoutSeconds: 50,
    table: 'write',
    seals: true,
    certifies: true,
    inVpc: true,
  },
  'worker-archives': {
    entry: 'worker/lambda-archives.ts',
    ...small,
    timeoutSeconds: 30,
    table: 'read',
    seals: true,
    certifies: true,
    putsObjects: true,
    inVpc: true,
  },
  'worker-start': {
    entry: 'worker/lambda-start.ts',
    ...small,
    timeoutSeconds: 30,
    table: 'write',
    starts: ['create-load-balancer', 'delete-load-balancer', 'failover-load-balancer'],
    vips: 'filters',
  },
  'worker-relay': {
    entry: 'worker/lambda-relay.ts',
    ...small,
    timeoutSeconds: 30,
    // Names of load balancers.
    table: 'read',
    sends: toTheWorker,
    publishes: true,
  },
  'tasks-lifecycle': {
    entry: 'tasks/lambda-lifecycle.ts',
    ...small,
    ...taskTimeout,
    table: 'write',
    sends: toTheWorker,
    publishes: true,
  },
  'tasks-compute': {
    entry: 'tasks/lambda-compute.ts',
    ...small,
    ...taskTimeout,
    table: 'write',
    seals: true,
    certifies: true,
    machines: 'builds',
  },
  'tasks-network': { entry: 'tasks/lambda-network.ts', ...small, ...taskTimeout, table: 'write', vips: 'moves' },
  'tasks-amphora': {
    entry: 'tasks/lambda-amphora.ts',
    ...small,
    ...taskTimeout,
    table: 'write',
    seals: true,
    certifies: true,
    inVpc: true,
  },
  heartbeats: {
    entry: 'health-manager/lambda-heartbeats.ts',
    ...small,
    timeoutSeconds: 30,
    table: 'write',
    seals: true,
    // Of a suspicion that is confirmed: a failover.
    sends: ['work', 'archives', 'operations'],
    publishes: true,
  },
  'health-scan': {
    entry: 'health-manager/lambda-scan.ts',
    ...small,
    timeoutSeconds: 55,
    table: 'write',
    // To itself, the next look.
    sends: ['operations', 'scans'],
    publishes: true,
    // Spares that are silent.
    machines: 'ends',
  },
  'compute-event': {
    entry: 'health-manager/lambda-compute-event.ts',
    ...small,
    timeoutSeconds: 30,
    table: 'write',
    sends: ['operations'],
    publishes: true,
    machines: 'ends',
  },
  'scaling-event': {
    entry: 'health-manager/lambda-scaling-event.ts',
    ...small,
    timeoutSeconds: 30,
    table: 'write',
    sends: toTheWorker,
    publishes: true,
    describesInstances: true,
  },
  housekeeping: {
    entry: 'housekeeping/lambda.ts',
    ...small,
    timeoutSeconds: 300,
    table: 'write',
    seals: true,
    certifies: true,
    readsSecrets: true,
    sends: toTheWorker,
    publishes: true,
    starts: ['build-amphora', 'rotate-amphora-certificate'],
    describesFlows: true,
    machines: 'ends',
    vips: 'moves',
  },
  'flow-ended': {
    entry: 'housekeeping/lambda-flow-ended.ts',
    ...small,
    timeoutSeconds: 30,
    table: 'write',
    sends: toTheWorker,
    publishes: true,
  },
} satisfies Record<string, FunctionSpec>;

export type FunctionName = keyof typeof functions;
export const functionNames = Object.keys(functions) as FunctionName[];
export const specOf = (name: FunctionName): FunctionSpec => functions[name];
