// What things take of AWS: counted in the deployment to an emulator (test/infra/deployed.test.ts compares), and where an emulator
// cannot count, as AWS documents it.

export interface Usage {
  readUnits: number;
  writeUnits: number;
  /** States of flows entered. */
  transitions: number;
  events: number;
  /** Through FIFO queues; sent, received and deleted are a request each. */
  messages: number;
  httpRequests: number;
  invocations: number;
}

/** With reading the result once. A function runs for each request and its authorizer, each task and each message. */
export const measured = {
  create: { readUnits: 40, writeUnits: 160, transitions: 12, events: 4, messages: 1, httpRequests: 2, invocations: 16 },
  memberChange: {
    readUnits: 15,
    writeUnits: 75,
    transitions: 0,
    events: 3,
    messages: 1,
    httpRequests: 2,
    invocations: 5,
  },
  failover: {
    readUnits: 55,
    writeUnits: 130,
    transitions: 36,
    events: 6,
    messages: 1,
    httpRequests: 0,
    invocations: 28,
  },
  delete: { readUnits: 30, writeUnits: 110, transitions: 6, events: 3, messages: 1, httpRequests: 2, invocations: 10 },
} as const satisfies Record<string, Usage>;

/** Of a heartbeat that brings nothing new but its counters. */
export const heartbeat = { readUnits: 2, writeUnits: 1 } as const;
/** Between heartbeats of an amphora, and what is gathered at once. */
export const heartbeatIntervalS = 10;
export const heartbeatWindowS = 1;

/** A run of a function. */
export const invocationGb = 0.5;
export const invocationS = 0.05;
/** Two round trips to the table, one after the other, and little else. */
export const heartbeatInvocationS = 0.02;

/** A look at the health of all amphorae, each ten seconds while there are any: a query of each of 16 shards, rows of half a KB, and the row of the chain. */
export const scan = { readUnits: 17, readUnitsPerAmphora: 0.125, writeUnits: 2 } as const;
export const scanIntervalS = 10;

/** Event source mappings ask an empty queue with five pollers of 20 s each (AWS's figures of Lambda's polling). */
export const pollersPerQueue = 5;
export const pollS = 20;
export const queues = { fifo: 2, standard: 3 } as const;

/** Schedules of a minute with nothing to do. */
export const idleInvocationsPerMinute = 2;
export const idleReadUnitsPerMinute = 10;
export const idleWriteUnitsPerMinute = 4;

/** Of our own, put while there are amphorae. */
export const metrics = 3;

export const keys = 1;
export const secrets = 2;
