// What a traffic log costs the traffic: requests that HAProxy answers by itself, so that nothing but HAProxy and the log is
// measured, with and without one, in turns.
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { Created } from '../local/demo/client.ts';
import { type Bench, rate } from './bench.ts';
import { loadBalancerBody, real, type Setting, within } from './setting.ts';

const port = 8_080;
const requests = 40_000;
const rounds = 3;

const redirect = { action: 'REDIRECT_TO_URL', redirect_url: 'http://example.com/', position: 1 };
const policy = { ...redirect, rules: [{ type: 'PATH', compare_type: 'STARTS_WITH', value: '/' }] };
const listener = { name: 'listener', protocol: 'HTTP', protocol_port: port, l7policies: [policy] };

/** Milliseconds for all of them. @throws Error where there is no h2load, or a request failed */
async function flood(url: string): Promise<number> {
  const options = ['--h1', '-t', '1', '-c', '16', '-n', String(requests), url];
  const { stdout } = await promisify(execFile)('h2load', options);
  const [, done, failed] =
    /requests: \d+ total, \d+ started, (\d+) done, \d+ succeeded, (\d+) failed/.exec(stdout) ?? [];
  if (Number(done) !== requests || failed !== '0') throw new Error(`h2load: ${stdout}`);
  const [, amount, unit] = /finished in ([\d.]+)(ms|s)/.exec(stdout) ?? [];
  return Number(amount) * (unit === 's' ? 1_000 : 1);
}

async function inTurns({ client, service }: Setting): Promise<{ without: number; with: number }> {
  const body = loadBalancerBody({ client, service }, { listeners: [listener] });
  const { id, vip_address } = await client.call<Created>('POST', '/loadbalancers', body);
  const url = `http://${vip_address}:${port}/`;
  const tookMs = { without: 0, with: 0 };
  await client.untilActive(id);
  await flood(url);
  for (let round = 0; round < rounds; round += 1) {
    for (const tags of [[], ['connection_logging=true']]) {
      await client.call('PUT', `/loadbalancers/${id}`, { loadbalancer: { tags } });
      await client.untilActive(id);
      tookMs[tags.length === 0 ? 'without' : 'with'] += await flood(url);
    }
  }
  return tookMs;
}

const logging: Bench = {
  name: 'logging',
  title: 'Traffic with and without its log (real HAProxy)',
  run: () =>
    within(real(0), async (setting) => {
      const tookMs = await inTurns(setting);
      const all = requests * rounds;
      return [
        rate('requests without a log', all, tookMs.without),
        rate('requests with a log', all, tookMs.with),
        { what: 'with / without', value: tookMs.without / tookMs.with, unit: '' as const },
      ];
    }),
};

export const benches = [logging];
