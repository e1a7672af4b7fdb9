// Size of each Lambda function's bundle, and what a cold start costs on one core: the import, and the first request after it with the
// sample event, AWS answered for by a server next door that knows of nothing. `node bench/bundles.ts [function ...]`
import { execFile, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { promisify } from 'node:util';
import {
  type Bundles,
  bundlesInTemporaryDirectory,
  type FunctionName,
  functionNames,
} from '../test/support/bundles.ts';

const runs = 5;
const run = promisify(execFile);
const hasTaskset = spawnSync('taskset', ['-V']).status === 0;

/** Every table is empty, every message taken. */
const empty = { Items: [], Responses: {}, UnprocessedKeys: {}, MessageId: 'sent', FailedEntryCount: 0, Entries: [] };
/** Clients of SQS compare it with what they sent. */
const digestOf = (body: string) =>
  createHash('md5')
    .update(JSON.parse(body).MessageBody ?? '')
    .digest('hex');
/** Of EC2, which speaks XML. */
const noInstances = '<DescribeInstancesResponse><requestId>1</requestId><reservationSet/></DescribeInstancesResponse>';
const aws = createServer(async (request, response) => {
  const body = await text(request);
  if (!request.headers['content-type']?.includes('json')) {
    response.writeHead(200, { 'content-type': 'text/xml' }).end(noInstances);
    return;
  }
  const answer = { ...empty, MD5OfMessageBody: digestOf(body) };
  response.writeHead(200, { 'content-type': 'application/x-amz-json-1.0' }).end(JSON.stringify(answer));
});

const coldStart = (file: string, event: string) => `
  import { readFileSync } from 'node:fs';
  const started = performance.now();
  const { handler } = await import(${JSON.stringify(file)});
  const imported = performance.now();
  let outcome = 'answered';
  await handler(JSON.parse(readFileSync(${JSON.stringify(event)}, 'utf8')), {}).catch((error) => { outcome = error.name; });
  console.log(JSON.stringify({ importMs: imported - started, firstMs: performance.now() - imported, outcome }));
  process.exit(0);
`;

interface Measured {
  importMs: number;
  firstMs: number;
  outcome: string;
}

async function measure(file: string, name: FunctionName, port: number): Promise<Measured> {
  const code = coldStart(file, join(import.meta.dirname, '..', 'events', `${name}.json`));
  const command = [process.execPath, '--input-type=module', '-e', code];
  const [program, ...given] = hasTaskset ? ['taskset', '-c', '0', ...command] : command;
  const env = {
    PATH: process.env['PATH'],
    AWS_ENDPOINT_URL: `http://127.0.0.1:${port}`,
    AWS_REGION: 'eu-central-1',
    AWS_ACCESS_KEY_ID: 'none',
    AWS_SECRET_ACCESS_KEY: 'none',
    OCTAVIA_REGION: 'eu-central-1',
    OCTAVIA_SEALING_KEY: 'a key for the benchmark',
    OCTAVIA_AMPHORA_DRIVER: 'noop',
  };
  const { stdout } = await run(program!, given, { env, maxBuffer: 10_000_000 });
  return JSON.parse(stdout.trim().split('\n').at(-1)!);
}

const median = (values: number[]): number => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;

async function row(name: FunctionName, bundles: Bundles, port: number) {
  const { file, loadedBytes, totalBytes } = bundles.make(name);
  const measured: Measured[] = [];
  for (let count = 0; count < runs; count++) measured.push(await measure(file, name, port));
  const importMs = Math.round(median(measured.map((one) => one.importMs)));
  const firstMs = Math.round(median(measured.map((one) => one.firstMs)));
  return {
    function: name,
    'at import, kB': Math.round(loadedBytes / 1000),
    'in all, kB': Math.round(totalBytes / 1000),
    'import, ms': importMs,
    'first request, ms': firstMs,
    'both, ms': importMs + firstMs,
    outcome: measured[0]!.outcome,
  };
}

const asked = process.argv.slice(2) as FunctionName[];
const bundles = bundlesInTemporaryDirectory();
await new Promise<void>((resolve) => aws.listen(0, '127.0.0.1', resolve));
const { port } = aws.address() as AddressInfo;
const rows = [];
for (const name of asked.length > 0 ? asked : functionNames) rows.push(await row(name, bundles, port));
aws.close();
bundles.remove();
console.table(rows);
if (!hasTaskset) console.log('taskset is not installed: not held to one core');
