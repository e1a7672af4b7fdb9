// What the agent tells about its amphora: Octavia's amphora_info.
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { cpus, hostname, loadavg } from 'node:os';
import { promisify } from 'node:util';
import type { AgentInfo, AgentSettings } from '../agent-api.ts';
import { outline } from './config-diff.ts';
import type { LoadBalancer } from './load-balancer.ts';
import { documentsIn, lvsListeners } from './lvs/documents.ts';

/** Asked once per agent: an amphora's packages do not change under it. */
export async function readHaproxyVersion(haproxyPath: string): Promise<string> {
  const { stdout } = await promisify(execFile)(haproxyPath, ['-v']);
  return /version (\S+)/.exec(stdout)?.[1] ?? 'unknown';
}

export function agentInfo(settings: AgentSettings, loadBalancer: LoadBalancer, haproxyVersion: string): AgentInfo {
  const { current } = loadBalancer.store;
  return {
    hostname: hostname(),
    api_version: '1.0',
    haproxy_version: haproxyVersion,
    amphora_id: settings.amphora_id,
    generation: current?.generation ?? null,
    digest: current?.digest ?? null,
  };
}

export async function agentDetails(loadBalancer: LoadBalancer): Promise<Record<string, unknown>> {
  const disk = await statfs('.');
  const isRunning = loadBalancer.haproxy !== null && loadBalancer.haproxy.pid !== null;
  return {
    active: true,
    haproxy_count: isRunning ? 1 : 0,
    cpu_count: cpus().length,
    cpu: readCpu(),
    memory: readMemory(),
    disk: { used: (disk.blocks - disk.bfree) * disk.bsize, available: disk.bavail * disk.bsize },
    load: loadavg(),
    listeners: listListeners(loadBalancer).map((listener) => listener.uuid),
  };
}

export function listListeners(loadBalancer: LoadBalancer): { status: string; uuid: string; type: string }[] {
  const text = loadBalancer.store.current?.text ?? '';
  const isRunning = loadBalancer.haproxy !== null && loadBalancer.haproxy.pid !== null;
  const served = loadBalancer.virtualServers.states(text).listeners;
  const word = (isActive: boolean) => (isActive ? 'ACTIVE' : 'OFFLINE');
  return [
    ...[...outline(text).frontends].map((uuid) => ({ status: word(isRunning), uuid, type: listenerType(text, uuid) })),
    ...lvsListeners(documentsIn(text).keepalived).map(({ id, protocol }) => ({
      status: word(id in served),
      uuid: id,
      type: protocol,
    })),
  ];
}

function listenerType(text: string, listener: string): string {
  const section = text.split(`\nfrontend ${listener}\n`)[1]?.split(/\n(?=\S)/)[0] ?? '';
  if (/^\s*bind .*\bssl\b/m.test(section)) return 'TERMINATED_HTTPS';
  return /^\s*mode http\b/m.test(section) ? 'HTTP' : 'TCP';
}

/** Clock ticks since boot, as Octavia gives them. */
function readCpu(): Record<string, number> {
  const ticks = readFileSync('/proc/stat', 'utf8').split('\n')[0]!.trim().split(/\s+/).slice(1).map(Number);
  const [user = 0, , system = 0, , , , softIrq = 0] = ticks;
  return { total: ticks.reduce((sum, each) => sum + each, 0), user, system, soft_irq: softIrq };
}

/** Kilobytes. */
function readMemory(): Record<string, number> {
  const text = readFileSync('/proc/meminfo', 'utf8');
  const of = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(text)?.[1] ?? 0);
  return {
    total: of('MemTotal'),
    free: of('MemFree'),
    buffers: of('Buffers'),
    cached: of('Cached'),
    swap_used: of('SwapTotal') - of('SwapFree'),
    shared: of('Shmem'),
    slab: of('Slab'),
  };
}
