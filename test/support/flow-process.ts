// A process of its own that runs ten executions of twenty steps and notes each, so that a test can kill it on the way.
import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { SqliteExecutionStore } from '../../local/flows/execution-store.ts';
import { LocalFlowDriver } from '../../local/flows/local-flow-driver.ts';
import { definitions } from './sample-flows.ts';

const [verb, directory = '.'] = process.argv.slice(2);
const executions = 10;
let ended = 0;

async function work(payload: unknown): Promise<void> {
  const { execution, step } = payload as { execution: string; step: number };
  appendFileSync(join(directory, 'log'), `${execution}.${step}\n`);
  await delay(5);
}

const driver = new LocalFlowDriver({
  definitions: { 'build-amphora': definitions.chain },
  tasks: { Work: work },
  store: new SqliteExecutionStore(join(directory, 'flows.sqlite')),
  onEnded: () => {
    ended++;
  },
});
if (verb === 'resume') await driver.resume();
else for (let n = 0; n < executions; n++) await driver.start('build-amphora', String(n), {});
while (ended < executions) await delay(10);
await driver.close();
