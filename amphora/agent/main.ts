// The amphora agent: puts the parts together, listens, and ends HAProxy when it is told to end.
import { mkdirSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { parseArgs } from 'node:util';
import type { AgentSettings } from '../agent-api.ts';
import { readHaproxyVersion } from './details.ts';
import { HealthDaemon } from './health-daemon.ts';
import { HeartbeatQueue } from './heartbeat-queue.ts';
import { Identity } from './identity.ts';
import { LoadBalancer } from './load-balancer.ts';
import { copyLogTo, log, textOf } from './log.ts';
import { Logs } from './logs/logs.ts';
import { serveMetrics } from './metrics-proxy.ts';
import { createAgentServer } from './server.ts';
import { readSettings } from './settings.ts';
import { TrafficMeter } from './traffic-meter.ts';

function main(settings: AgentSettings): void {
  mkdirSync(settings.directory, { recursive: true, mode: 0o700 });
  // Unix sockets have short paths only: everything is addressed from here.
  process.chdir(settings.directory);
  const identity = new Identity(settings);
  const traffic = new TrafficMeter();
  const logs = settings.logs ? new Logs(settings.amphora_id, settings.logs) : null;
  copyLogTo((line) => logs?.say(line));
  const attend = () => logs?.attend(loadBalancer.store.current?.load_balancer_id ?? null);
  const loadBalancer = new LoadBalancer(settings, identity, traffic, () => {
    attend();
    health.reportSoon();
  });
  attend();
  identity.onChange(() => {
    loadBalancer.renewIdentity().catch((error) => log('peers have the old certificate', { error: textOf(error) }));
  });
  const health = new HealthDaemon(settings, loadBalancer, traffic, new HeartbeatQueue(settings, identity), logs);
  let version: Promise<string> | null = null;
  const haproxyVersion = () => {
    version ??= readHaproxyVersion(settings.haproxy_path);
    return version;
  };
  const server = createAgentServer({ settings, identity, loadBalancer, haproxyVersion, logs });
  endWith(settings, loadBalancer, logs);
  // Before the first request: what it asks for waits until HAProxy is found or started.
  loadBalancer.recover().catch((error) => log('HAProxy does not run yet', { error: textOf(error) }));
  server.on('error', (error) => {
    log('cannot listen', { error: textOf(error) });
    process.exit(1);
  });
  server.listen(settings.bind_port, settings.bind_address, () => {
    const { address, port } = server.address() as AddressInfo;
    log('listening', { amphora_id: settings.amphora_id, address, port });
    health.start();
    serveMetrics(loadBalancer);
  });
}

/** Whoever asks first; HAProxy never outlives an agent that ended in order. */
function endWith(settings: AgentSettings, loadBalancer: LoadBalancer, logs: Logs | null): void {
  let isEnding = false;
  const end = () => {
    const leave = () => {
      logs?.close();
      process.exit(0);
    };
    if (!isEnding) loadBalancer.shutDown().finally(leave);
    isEnding = true;
  };
  process.on('SIGTERM', end);
  process.on('SIGINT', end);
  // Nobody reads the log any more: no reason to end.
  process.stdout.on('error', () => {});
  if (settings.ends_with_stdin) process.stdin.on('close', end).on('error', end).resume();
}

const { config } = parseArgs({ options: { config: { type: 'string' } } }).values;
if (config === undefined) {
  process.stderr.write('usage: agent --config FILE\n');
  process.exit(2);
}
main(readSettings(config));
