// Octavia's prometheus-proxy: what PROMETHEUS listeners forward to. It asks HAProxy's exporter, adds what only the machine knows,
// and tells it all in Octavia's words.
import { readFileSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from 'node:http';
import { cpus, loadavg } from 'node:os';
import { pipeline } from 'node:stream/promises';
import type { LoadBalancer } from './load-balancer.ts';
import { log, textOf } from './log.ts';
import { machineFamilies } from './metric-families.ts';
import { MetricTranslation } from './metric-translation.ts';

/** In the agent's directory, which is the one above HAProxy's. */
const socketFile = 'metrics.sock';
const exporterFile = 'exporter.sock';
const timeoutMs = 5_000;

export function serveMetrics(loadBalancer: LoadBalancer): Server {
  // An agent that was killed left it behind.
  rmSync(socketFile, { force: true });
  const server = createServer((incoming, response) => {
    answer(loadBalancer, incoming, response).catch((error) => {
      log('metrics are not told', { error: textOf(error) });
      // Half a page is worse than none: whoever scrapes sees that it was cut off.
      if (response.headersSent) response.destroy();
      else response.writeHead(502, { connection: 'close' }).end();
    });
  });
  server.on('error', (error) => log('metrics cannot be served', { error: textOf(error) }));
  return server.listen(socketFile);
}

async function answer(loadBalancer: LoadBalancer, incoming: IncomingMessage, response: ServerResponse): Promise<void> {
  const path = (incoming.url ?? '').split('?')[0];
  const isAsked = incoming.method === 'GET' || incoming.method === 'HEAD';
  if (path !== '/metrics' || !isAsked) {
    response.writeHead(path === '/metrics' ? 405 : 404, { connection: 'close' }).end();
    return;
  }
  const metrics = await exported(loadBalancer);
  const headers = { 'content-type': 'text/plain; version=0.0.4', 'cache-control': 'no-cache', connection: 'close' };
  response.writeHead(200, headers).write(machineMetrics());
  await pipeline(metrics, new MetricTranslation(), response);
}

function exported({ store }: LoadBalancer): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const socketPath = `${store.current?.load_balancer_id}/${exporterFile}`;
    const call = request({ socketPath, path: '/metrics', agent: false, timeout: timeoutMs }, (metrics) => {
      if (metrics.statusCode === 200) return resolve(metrics);
      metrics.destroy();
      reject(new Error(`HAProxy answers ${metrics.statusCode}`));
    });
    call.on('timeout', () => call.destroy(new Error('HAProxy does not export in time')));
    call.on('error', reject);
    call.end();
  });
}

function machineMetrics(): string {
  const values: Record<keyof typeof machineFamilies, number> = {
    octavia_loadbalancer_cpu: (loadavg()[0]! / cpus().length) * 100,
    octavia_loadbalancer_memory: usedMemoryPercent(),
  };
  return Object.entries(machineFamilies)
    .map(([name, help]) => {
      const value = values[name as keyof typeof machineFamilies].toFixed(1);
      return `# HELP ${name} ${help}\n# TYPE ${name} gauge\n${name} ${value}\n`;
    })
    .join('');
}

function usedMemoryPercent(): number {
  const text = readFileSync('/proc/meminfo', 'utf8');
  const of = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(text)?.[1] ?? 0);
  return (1 - of('MemAvailable') / of('MemTotal')) * 100;
}
