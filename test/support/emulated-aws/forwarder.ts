// Stands between clients and the emulator: hands every request on, and tells what it was.
import { createServer, type IncomingMessage, request } from 'node:http';
import { buffer } from 'node:stream/consumers';

export interface Forwarded {
  /** `DynamoDB TransactWriteItems`, `SQS SendMessage`, or method and path where AWS has no name for it. */
  action: string;
  /** Of DynamoDB, as the answer says; 0 of anything else. */
  capacityUnits: number;
}

export interface Forwarder {
  url: string;
  close: () => Promise<void>;
}

export interface Forwarding {
  to: string;
  /** What the other side is called, where it goes by the name. */
  host?: string;
  tell?: (forwarded: Forwarded) => void;
  /** Where requests of EC2 go instead. */
  ec2?: string;
}

/** The service a request is signed for. */
const isOfEc2 = ({ headers }: IncomingMessage): boolean => /\/ec2\/aws4_request/.test(headers.authorization ?? '');

function actionOf(incoming: IncomingMessage, body: Buffer): string {
  const { method, url, headers } = incoming;
  const target = headers['x-amz-target'];
  const query = /(?:^|&)Action=(\w+)/.exec(body.toString('latin1', 0, 200));
  if (typeof target === 'string') return target.replace(/^(?:Amazon|AWS)?([A-Za-z]+?)(?:_\d+)?\./, '$1 ');
  return query ? `${isOfEc2(incoming) ? 'EC2' : 'query'} ${query[1]}` : `${method} ${url}`;
}

interface Consumed {
  CapacityUnits: number;
}

/** The emulator does not say what a batch of keys cost: a unit each, as our rows are small. */
const keysOf = (body: Buffer): number =>
  Object.values(JSON.parse(body.toString()).RequestItems as Record<string, { Keys: unknown[] }>).flatMap(
    ({ Keys }) => Keys,
  ).length;

function unitsOf(action: string, body: Buffer, answer: Buffer): number {
  if (action === 'DynamoDB BatchGetItem') return keysOf(body);
  const { ConsumedCapacity: consumed } = JSON.parse(answer.toString()) as { ConsumedCapacity?: Consumed | Consumed[] };
  return [consumed ?? []].flat().reduce((sum, { CapacityUnits }) => sum + CapacityUnits, 0);
}

/** DynamoDB says what a request cost when asked to; the SDK passes the answer over. */
const asked = (action: string, body: Buffer): Buffer =>
  action.startsWith('DynamoDB ')
    ? Buffer.from(JSON.stringify({ ...JSON.parse(body.toString()), ReturnConsumedCapacity: 'TOTAL' }))
    : body;

export async function startForwarder({ to, host, tell, ec2 }: Forwarding): Promise<Forwarder> {
  const server = createServer(async (incoming, outgoing) => {
    const given = await buffer(incoming);
    const action = actionOf(incoming, given);
    const body = tell ? asked(action, given) : given;
    const headers = { ...incoming.headers, 'content-length': String(body.length), ...(host ? { host } : {}) };
    delete headers['transfer-encoding'];
    const onward = request(
      new URL(incoming.url!, (isOfEc2(incoming) && ec2) || to),
      { method: incoming.method!, headers },
      async (response) => {
        const answer = await buffer(response);
        tell?.({ action, capacityUnits: action.startsWith('DynamoDB ') ? unitsOf(action, body, answer) : 0 });
        outgoing.writeHead(response.statusCode!, response.headers).end(answer);
      },
    );
    onward.on('error', () => outgoing.destroy());
    onward.end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  const close = () => new Promise<void>((resolve) => server.closeAllConnections() ?? server.close(() => resolve()));
  return { url: `http://127.0.0.1:${port}`, close };
}
