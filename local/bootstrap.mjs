// First step of every npm script: plain JavaScript that any Node from 20 on runs. Installs what is missing (dependencies by
// lockfile, Node 24 among them, and HAProxy), or says what to run, then hands over to Node 24.
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { accessSync, constants, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const modules = join(root, 'node_modules');
const node24 = join(modules, 'node', 'bin', 'node');
/** Written after a complete install: one that was cut off is done again. */
const stamp = join(modules, '.octavia-installed');
/** Everything this prints goes to stderr: stdout belongs to the command. */
const say = (text) => process.stderr.write(`${text}\n`);

function fail(text) {
  say(text);
  process.exit(1);
}

/** Of what decides what an install makes. */
const wanted = () =>
  createHash('sha256')
    .update(readFileSync(join(root, 'package-lock.json')))
    .update(`${process.platform}-${process.arch}`)
    .digest('hex');

function isInstalled() {
  return existsSync(node24) && existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted();
}

/** One install at a time: a second command that starts meanwhile waits for the first. */
function withLock(work) {
  const lock = join(root, '.install-lock');
  const giveUpAt = Date.now() + 600_000;
  for (;;) {
    try {
      mkdirSync(lock);
      break;
    } catch {
      const owner = existsSync(join(lock, 'pid')) ? Number(readFileSync(join(lock, 'pid'), 'utf8')) : 0;
      const isAlive = owner > 0 && existsSync(`/proc/${owner}`);
      if (!isAlive) rmSync(lock, { recursive: true, force: true });
      else if (Date.now() > giveUpAt) fail(`another install (process ${owner}) does not end`);
      else spawnSync('sleep', ['0.3']);
    }
  }
  writeFileSync(join(lock, 'pid'), String(process.pid));
  try {
    work();
  } finally {
    rmSync(lock, { recursive: true, force: true });
  }
}

function installDependencies() {
  if (isInstalled()) return;
  say('Installing dependencies by lockfile ...');
  const started = Date.now();
  const done = spawnSync('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: root,
    stdio: ['ignore', 2, 2],
  });
  if (done.status !== 0) fail('npm ci failed. Mend what it says above and run the same command again.');
  if (!existsSync(node24)) {
    // The installer of the node package may have been held back by a setting of npm's.
    const pinned = spawnSync('npm', ['rebuild', 'node'], { cwd: root, stdio: ['ignore', 2, 2] });
    if (pinned.status !== 0 || !existsSync(node24)) fail('Node 24 was not installed. Run: npm rebuild node');
  }
  writeFileSync(stamp, wanted());
  say(`Dependencies installed in ${((Date.now() - started) / 1000).toFixed(0)} s.`);
}

/** An ordinary user's has no place for daemons: HAProxy, keepalived and nft are there on Debian. */
const places = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin'];

function findHaproxy() {
  return places
    .map((place) => join(place, 'haproxy'))
    .find((file) => {
      try {
        accessSync(file, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}

const managers = [
  {
    file: '/usr/bin/apt-get',
    commands: [
      ['apt-get', 'update', '-qq'],
      ['apt-get', 'install', '-y', '-qq', '--no-install-recommends', 'haproxy'],
    ],
  },
  { file: '/usr/bin/dnf', commands: [['dnf', 'install', '-y', '-q', 'haproxy']] },
  { file: '/sbin/apk', commands: [['apk', 'add', '--quiet', 'haproxy']] },
];

function installHaproxy() {
  const found = findHaproxy();
  if (found) return found;
  const manager = managers.find(({ file }) => existsSync(file));
  const command = manager
    ? manager.commands.map((words) => words.join(' ')).join(' && sudo ')
    : 'your package manager, package haproxy';
  if (process.getuid?.() !== 0 || !manager)
    fail(`HAProxy is missing. Install it with:\n\n  sudo ${command}\n\nthen run the same command again.`);
  say('Installing HAProxy ...');
  for (const [program, ...args] of manager.commands) {
    const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
    const done = spawnSync(program, args, { stdio: ['ignore', 2, 2], env });
    if (done.status !== 0) fail(`HAProxy could not be installed. Run: ${command}`);
  }
  return findHaproxy() ?? fail('HAProxy was installed but is not on the PATH.');
}

if (Number(process.versions.node.split('.')[0]) < 20) fail(`Node 20 or newer is needed; this is ${process.version}.`);
const [command, ...args] = process.argv.slice(2);
if (!command) fail('usage: node local/bootstrap.mjs FILE|PROGRAM [ARGUMENT...]');
if (!isInstalled()) withLock(installDependencies);
const needsHaproxy = !['cdk', 'biome', 'tsc'].includes(command);
const haproxy = needsHaproxy ? installHaproxy() : undefined;

/** A small young generation is collected more often and keeps the process small. */
const ours = command.endsWith('.ts')
  ? ['--disable-warning=ExperimentalWarning', '--max-semi-space-size=4', command]
  : [join(modules, '.bin', command)];
const child = spawn(node24, [...ours, ...args], {
  cwd: root,
  stdio: 'inherit',
  env: {
    // What was compiled once is read at the next start, which takes a third less processor time.
    NODE_COMPILE_CACHE: join(modules, '.cache', 'node'),
    ...process.env,
    PATH: [dirname(node24), join(modules, '.bin'), ...places].join(delimiter),
    ...(haproxy ? { OCTAVIA_HAPROXY: haproxy } : {}),
  },
});
// The terminal sends Ctrl-C to both; whoever kills this process means the one that works.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'])
  process.on(signal, () => signal === 'SIGINT' || child.kill(signal));
child.on('exit', (code, signal) => process.exit(signal ? 130 : (code ?? 1)));
