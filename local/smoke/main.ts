// `npm run smoke -- --endpoint URL`: whether a deployment does its work, end to end, and nothing of it is left behind. Exits with 0
// when every step held.
import { parseArgs } from 'node:util';
import { Report } from '../demo/report.ts';
import { Smoke, type Wish } from './steps.ts';

const usage = `Usage: OS_PASSWORD=... npm run smoke -- --endpoint URL [options]

  --endpoint URL        as the deployment says it: stack octavia-control-plane, output Endpoint
  --username NAME       (OS_USERNAME, else admin); the password is read from OS_PASSWORD
  --project NAME        (OS_PROJECT_NAME, else admin)
  --subnet ID           for the VIP; the first one otherwise
  --member ADDRESS:PORT an HTTP server that amphorae reach: sends traffic through the VIP, which this machine has to reach
  --minutes N           for whatever has to be built (10)
`;
const say = (line: string): void => void process.stdout.write(`${line}\n`);

function refuse(problem: string): never {
  process.stderr.write(`${problem}\n\n${usage}`);
  process.exit(2);
}

function options() {
  try {
    return parseArgs({
      options: {
        endpoint: { type: 'string' },
        username: { type: 'string', default: process.env['OS_USERNAME'] ?? 'admin' },
        project: { type: 'string', default: process.env['OS_PROJECT_NAME'] ?? 'admin' },
        subnet: { type: 'string' },
        member: { type: 'string' },
        minutes: { type: 'string', default: '10' },
        help: { type: 'boolean', default: false },
      },
    }).values;
  } catch (error) {
    return refuse((error as Error).message);
  }
}

function wish(): Wish {
  const { endpoint, username, project, subnet, member, minutes, help } = options();
  if (help) {
    say(usage);
    process.exit(0);
  }
  const password = process.env['OS_PASSWORD'];
  if (!endpoint || !URL.canParse(endpoint)) refuse('--endpoint needs the URL of a deployment');
  if (!password) refuse('OS_PASSWORD is not set');
  if (!(Number(minutes) > 0)) refuse(`--minutes ${minutes} is not a number above 0`);
  if (member !== undefined && !/^[\w.]+:\d+$/.test(member)) refuse(`--member ${member} is not ADDRESS:PORT`);
  const withinMs = Number(minutes) * 60_000;
  return { endpoint: endpoint.replace(/\/$/, ''), username, password, project, subnet, member, withinMs };
}

const interrupted = new Promise<never>((_resolve, reject) => {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.once(signal, () => reject(new Error(`interrupted by ${signal}`)));
});
interrupted.catch(() => {});

async function main(): Promise<number> {
  const smoke = new Smoke(wish());
  const report = new Report(say, process.stdout.isTTY === true);
  try {
    await Promise.race([smoke.take(report), interrupted]);
    return report.conclude();
  } finally {
    await smoke.clear();
  }
}

main().then(
  (code) => process.exit(code),
  (error: Error) => {
    process.stderr.write(`${error.message}\n`);
    process.exit(1);
  },
);
