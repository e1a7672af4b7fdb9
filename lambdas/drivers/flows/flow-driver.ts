// Runs the flows of state-machines/: TaskFlow's place in Octavia. On AWS these are Step Functions executions.

/** File names under state-machines/ without `.asl.json`. */
export const flowNames = [
  'build-amphora',
  'create-load-balancer',
  'delete-load-balancer',
  'failover-load-balancer',
  'failover-amphora',
  'rotate-amphora-certificate',
] as const;
export type FlowName = (typeof flowNames)[number];

export type ExecutionState = 'RUNNING' | 'SUCCEEDED' | 'FAILED' | 'TIMED_OUT' | 'ABORTED';

export interface Execution {
  flow: FlowName;
  /** As given at start: 1 to 80 of A-Z a-z 0-9 - _ . */
  name: string;
  state: ExecutionState;
  input: Record<string, unknown>;
  output?: unknown;
  /** Error name and cause of a failed execution. */
  error?: string;
  cause?: string;
}

export interface FlowDriver {
  /**
   * Starts an execution. The same flow, name and input again is the same execution: nothing is started twice.
   * @throws DriverError when the name is taken by an execution with another input
   */
  start(flow: FlowName, name: string, input: Record<string, unknown>): Promise<void>;
  /** undefined: there never was one, or it is forgotten. */
  describe(flow: FlowName, name: string): Promise<Execution | undefined>;
  /** Ends a running execution as ABORTED; no error when it has ended or is unknown. */
  stop(flow: FlowName, name: string, cause: string): Promise<void>;
}
