// What `npm start` may be told: options of the one-machine runtime, and every setting of the control plane.
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { type Config, defaultConfig, parseSetting, type SettingName, settings } from '../lambdas/runtime/config.ts';

export interface LocalOptions {
  port: number;
  /** Absolute. */
  state: string;
  ephemeral: boolean;
  json: boolean;
  pause: boolean;
  compute: 'process' | 'noop';
  network: 'loopback' | 'noop';
  amphora_cidr: string;
  vip_cidr: string;
  /** Multiplies the waiting times written in the flows, which are meant for machines that boot for a minute. */
  wait_scale: number;
  haproxy_path: string;
  config: Config;
}

/** One machine is quick: a dead amphora is noticed in seconds. */
const localTimings: Partial<Config> = {
  heartbeat_interval_ms: 1_000,
  heartbeat_timeout_ms: 3_000,
  health_scan_interval_ms: 500,
  reconcile_interval_ms: 2_000,
  operation_timeout_ms: 30_000,
  flow_timeout_ms: 60_000,
  orphan_age_ms: 60_000,
  hard_stop_after_ms: 30_000,
  log_chunk_age_ms: 10_000,
};

/** A mistake of whoever typed the command, told without a stack. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

const flag = (name: string): string => name.replaceAll('_', '-');

const own = {
  port: { type: 'string', default: '9876' },
  state: { type: 'string', default: '.octavia' },
  ephemeral: { type: 'boolean', default: false },
  json: { type: 'boolean', default: false },
  pause: { type: 'boolean', default: false },
  compute: { type: 'string', default: 'process' },
  network: { type: 'string', default: 'loopback' },
  'amphora-cidr': { type: 'string', default: '127.77.0.0/16' },
  'vip-cidr': { type: 'string', default: '127.78.0.0/16' },
  'wait-scale': { type: 'string', default: '0.02' },
  help: { type: 'boolean', default: false },
} as const;

const meanings: Record<keyof typeof own, string> = {
  port: 'port of the API on 127.0.0.1',
  state: 'directory everything is kept in',
  ephemeral: 'keep nothing: state in a temporary directory, amphorae end with the service',
  json: 'every line is JSON',
  pause: 'serve the API and leave the work queued',
  compute: 'process: an amphora is a process with a real HAProxy; noop: nothing behind it',
  network: 'loopback: a VIP is a loopback address; noop: only bookkeeping',
  'amphora-cidr': 'loopback addresses of amphorae',
  'vip-cidr': 'loopback addresses of VIPs',
  'wait-scale': "multiplies the flows' waiting times",
  help: 'print this',
};

const settingFlags = Object.fromEntries(Object.keys(settings).map((name) => [flag(name), { type: 'string' as const }]));

function oneOf<const T extends string>(name: string, value: string, allowed: readonly T[]): T {
  const found = allowed.find((one) => one === value);
  if (found === undefined) throw new UsageError(`--${name} must be one of ${allowed.join(', ')}, not ${value}`);
  return found;
}

function configOf(values: Record<string, unknown>, compute: string): Config {
  const config: Record<string, unknown> = {
    ...defaultConfig,
    ...localTimings,
    spare_amphorae: compute === 'process' ? 1 : 0,
    amphora_driver: compute === 'process' ? 'https' : 'noop',
    objects_driver: compute === 'process' ? 'directory' : 'noop',
  };
  for (const name of Object.keys(settings) as SettingName[]) {
    const text = values[flag(name)];
    if (typeof text === 'string') config[name] = parseSetting(name, text);
  }
  return config as Config;
}

function parsed(args: string[]) {
  try {
    return parseArgs({ args, options: { ...own, ...settingFlags }, strict: true }).values as Record<
      string,
      string | boolean
    >;
  } catch (cause) {
    throw new UsageError(`${(cause as Error).message}\nSee npm start -- --help`, { cause });
  }
}

/** @returns undefined when only help was asked for. @throws UsageError */
export function readOptions(args: string[], environment: NodeJS.ProcessEnv): LocalOptions | undefined {
  const values = parsed(args);
  if (values['help']) return undefined;
  const port = Number(values['port']);
  if (!Number.isInteger(port) || port < 0 || port > 65_535)
    throw new UsageError(`--port must be a port, not ${values['port']}`);
  const waitScale = Number(values['wait-scale']);
  if (!(waitScale > 0)) throw new UsageError('--wait-scale must be a positive number');
  const compute = oneOf('compute', String(values['compute']), ['process', 'noop']);
  try {
    return {
      port,
      state: resolve(String(values['state'])),
      ephemeral: Boolean(values['ephemeral']),
      json: Boolean(values['json']),
      pause: Boolean(values['pause']),
      compute,
      network: oneOf('network', String(values['network']), ['loopback', 'noop']),
      amphora_cidr: String(values['amphora-cidr']),
      vip_cidr: String(values['vip-cidr']),
      wait_scale: waitScale,
      haproxy_path: environment['OCTAVIA_HAPROXY'] ?? '/usr/sbin/haproxy',
      config: configOf(values, compute),
    };
  } catch (cause) {
    throw cause instanceof UsageError ? cause : new UsageError((cause as Error).message, { cause });
  }
}

export function help(): string {
  const line = (name: string, standard: unknown, meaning: string) => `  --${name.padEnd(28)} ${meaning} [${standard}]`;
  const ownLines = Object.entries(own).map(([name, { default: standard }]) =>
    line(name, standard, meanings[name as keyof typeof own]),
  );
  const merged: Record<string, unknown> = { ...defaultConfig, ...localTimings };
  const settingLines = Object.entries(settings).map(([name, { meaning }]) => line(flag(name), merged[name], meaning));
  return [
    'usage: npm start -- [OPTION...]',
    '',
    ...ownLines,
    '',
    'Settings of the control plane:',
    ...settingLines,
    '',
  ].join('\n');
}

export const stateFile = (state: string, name: string): string => join(state, name);
