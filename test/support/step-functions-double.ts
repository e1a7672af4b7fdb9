// The three actions of Step Functions the driver calls, over HTTP on loopback, as strict as AWS: the name of an execution is
// never given twice, and what is unknown is an error.
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';

interface Started {
  input: string;
  status: string;
  cause?: string;
}
class Fault extends Error {
  override readonly name = 'Fault';
  readonly type: string;
  readonly status: number;
  constructor(type: string, status = 400) {
    super(type);
    this.type = type;
    this.status = status;
  }
}

export interface StepFunctionsDouble {
  endpoint: string;
  /** Ends an execution as succeeded. */
  succeed(executionArn: string, output: unknown): void;
  /** The next request is answered with this fault. */
  failNext(type: string, status: number): void;
  close(): Promise<void>;
}

async function readBody(request: IncomingMessage): Promise<Record<string, string>> {
  let text = '';
  for await (const chunk of request) text += chunk;
  return JSON.parse(text);
}

export async function startStepFunctionsDouble(): Promise<StepFunctionsDouble> {
  const executions = new Map<string, Started & { output?: string }>();
  let fault: Fault | undefined;
  const find = (arn = '') => executions.get(arn) ?? raise(new Fault('ExecutionDoesNotExist'));
  const actions: Record<string, (body: Record<string, string>) => object> = {
    StartExecution({ stateMachineArn = '', name, input = '{}' }) {
      const executionArn = `${stateMachineArn.replace(':stateMachine:', ':execution:')}:${name}`;
      const taken = executions.get(executionArn);
      if (taken && (taken.status !== 'RUNNING' || taken.input !== input)) throw new Fault('ExecutionAlreadyExists');
      if (!taken) executions.set(executionArn, { input, status: 'RUNNING' });
      return { executionArn, startDate: 1 };
    },
    DescribeExecution: ({ executionArn }) => ({ executionArn, ...find(executionArn) }),
    StopExecution({ executionArn, cause }) {
      const execution = find(executionArn);
      if (execution.status === 'RUNNING') Object.assign(execution, { status: 'ABORTED', cause });
      return { stopDate: 1 };
    },
  };
  const server = createServer(async (request, response) => {
    const body = await readBody(request);
    const action = String(request.headers['x-amz-target']).split('.').at(-1) ?? '';
    response.setHeader('content-type', 'application/x-amz-json-1.0');
    try {
      if (fault) throw fault;
      response.end(JSON.stringify(actions[action]?.(body)));
    } catch (error) {
      fault = undefined;
      const { type, status } = error as Fault;
      response.writeHead(status).end(JSON.stringify({ __type: type, message: type }));
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    succeed: (arn, output) => Object.assign(find(arn), { status: 'SUCCEEDED', output: JSON.stringify(output) }),
    failNext: (type, status) => {
      fault = new Fault(type, status);
    },
    close: () => {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}

function raise(error: Error): never {
  throw error;
}
