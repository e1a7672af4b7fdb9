// `npm run demo`: what this is for, shown in seconds against a service that runs, or one started for it.
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { Report } from './report.ts';
import { localSubnetId, runningService, type Service, startService } from './service.ts';
import { Stage } from './stage.ts';
import { takeSteps } from './steps.ts';

const say = (line: string): void => void process.stdout.write(`${line}\n`);

const { values } = parseArgs({
  options: {
    state: { type: 'string', default: '.octavia' },
    endpoint: { type: 'string' },
    username: { type: 'string', default: 'admin' },
    password: { type: 'string', default: '' },
    project: { type: 'string', default: 'admin' },
    subnet: { type: 'string', default: localSubnetId },
  },
});

function remoteService(endpoint: string): Service {
  const { username, password, project: project_name, subnet: subnet_id } = values;
  const auth_url = `${endpoint}/identity/v3`;
  return {
    cloud: { endpoint, auth_url, username, password, project_name, subnet_id },
    state: undefined,
    stop: async () => {},
  };
}

async function service(): Promise<Service> {
  if (values.endpoint !== undefined) return remoteService(values.endpoint.replace(/\/$/, ''));
  const running = runningService(resolve(values.state));
  if (running !== undefined) return running;
  say('No service runs here; starting one that leaves nothing behind ...\n');
  return startService();
}

/** Settles when somebody wants it to end. */
const interrupted = new Promise<never>((_resolve, reject) => {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.once(signal, () => reject(new Error(`interrupted by ${signal}`)));
});
interrupted.catch(() => {});

async function main(): Promise<number> {
  const stage = new Stage(await service());
  try {
    const report = new Report(say, process.stdout.isTTY === true);
    await Promise.race([takeSteps(stage, report), interrupted]);
    return report.conclude();
  } finally {
    await stage.clear();
  }
}

process.stdout.on('error', () => {});
main().then(
  (code) => process.exit(code),
  (error: Error) => {
    process.stderr.write(`${error.message}\n`);
    process.exit(1);
  },
);
