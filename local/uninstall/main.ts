// `npm run uninstall -- --endpoint URL`: deletes all load balancers of all projects and waits until their
// machines, interfaces and addresses are gone, and says how to remove what is left: no stack may go before them.
import { parseArgs } from 'node:util';
import { SmokeClient } from '../smoke/client.ts';
import { Emptying } from './emptying.ts';

const usage = `Usage: OS_PASSWORD=... npm run uninstall -- --endpoint URL --yes [options]

  --endpoint URL   as the deployment says it: stack octavia-control-plane, output Endpoint
  --yes            every load balancer of every project is deleted; without it they are listed only
  --username NAME  an administrator (OS_USERNAME, else admin); the password is read from OS_PASSWORD
  --project NAME   (OS_PROJECT_NAME, else admin)
  --minutes N      for all of it (30)
  --spares N       seconds in which the control plane is to end its spares (180)
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
        yes: { type: 'boolean', default: false },
        username: { type: 'string', default: process.env['OS_USERNAME'] ?? 'admin' },
        project: { type: 'string', default: process.env['OS_PROJECT_NAME'] ?? 'admin' },
        minutes: { type: 'string', default: '30' },
        spares: { type: 'string', default: '180' },
        help: { type: 'boolean', default: false },
      },
    }).values;
  } catch (error) {
    return refuse((error as Error).message);
  }
}

async function main(): Promise<void> {
  const { endpoint, yes, username, project, minutes, spares, help } = options();
  if (help) return say(usage);
  const password = process.env['OS_PASSWORD'];
  if (!endpoint || !URL.canParse(endpoint)) refuse('--endpoint needs the URL of a deployment');
  if (!password) refuse('OS_PASSWORD is not set');
  for (const [name, text] of Object.entries({ minutes, spares }))
    if (!(Number(text) > 0)) refuse(`--${name} ${text} is not a number above 0`);
  const client = await SmokeClient.login({ endpoint: endpoint.replace(/\/$/, ''), username, password, project });
  const emptying = new Emptying({
    client,
    say,
    withinMs: Number(minutes) * 60_000,
    sparesWithinMs: Number(spares) * 1_000,
  });
  if (!yes) {
    await emptying.list();
    return say('Nothing was deleted. With --yes all of them are.');
  }
  await emptying.run();
  say('No load balancer and no amphora is left. Next: "Uninstalling" in docs/runbook.md, from step 2.');
}

main().then(
  () => process.exit(0),
  (error: Error) => {
    process.stderr.write(`${error.message}\n`);
    process.exit(1);
  },
);
