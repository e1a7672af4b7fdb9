// `npm start`: the service on one machine.
import { cloudsYaml } from './clouds-yaml.ts';
import { greeting } from './greeting.ts';
import { help, readOptions, UsageError } from './options.ts';
import { type Runtime, startRuntime } from './runtime.ts';
import { writePrivate } from './state-directory.ts';

const print = (line: string): void => void process.stdout.write(`${line}\n`);

/** Also while it starts: what it has started by then would be left running. */
function stopOnSignal(starting: Promise<Runtime>, isJson: boolean): void {
  let isStopping = false;
  const stop = () => {
    // A second Ctrl-C does not wait.
    if (isStopping) process.exit(130);
    isStopping = true;
    if (!isJson) print('\nStopping ...');
    starting.then((runtime) => runtime.stop()).then(() => process.exit(0), fail);
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, stop);
}

function fail(error: unknown): never {
  const text = error instanceof UsageError ? error.message : error instanceof Error ? error.stack : String(error);
  process.stderr.write(`${text}\n`);
  process.exit(1);
}

async function main(): Promise<void> {
  const options = readOptions(process.argv.slice(2), process.env);
  if (options === undefined) return print(help());
  const early: string[] = [];
  let say = (line: string): void => void early.push(line);
  // Whoever reads the lines waits for the first one, which says that it is ready.
  const starting = startRuntime(options, (line) => say(line));
  stopOnSignal(starting, options.json);
  const runtime = await starting;
  const { demo_password } = runtime.state.credentials();
  writePrivate(runtime.state.file('clouds.yaml'), cloudsYaml(runtime.ready, demo_password));
  print(
    options.json
      ? JSON.stringify({ event: 'ready', ...runtime.ready, state: runtime.state.path })
      : greeting(runtime, demo_password),
  );
  for (const line of early) print(line);
  say = print;
}

process.stdout.on('error', () => {});
main().catch(fail);
