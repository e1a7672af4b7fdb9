// Somebody who draws a graph of statistics: looks again and again, and notes whenever a counter went back.
import { setTimeout as sleep } from 'node:timers/promises';
import type { OctaviaClient, Statistics } from './octavia-client.ts';

const pauseMs = 50;
const counters = ['bytes_in', 'bytes_out', 'total_connections', 'request_errors'] as const;

export const statsOf = async (api: OctaviaClient, path: string): Promise<Statistics> =>
  (await api.call('GET', `/v2.0/lbaas/${path}/stats`)).stats;

export class StatisticsWatch {
  readonly setbacks: string[] = [];
  looks = 0;
  #isStopped = false;
  readonly #watching: Promise<unknown>;

  constructor(api: OctaviaClient, paths: string[]) {
    this.#watching = Promise.all(paths.map((path) => this.#watch(api, path)));
  }

  async #watch(api: OctaviaClient, path: string): Promise<void> {
    let last: Statistics | undefined;
    while (!this.#isStopped) {
      const now = await statsOf(api, path);
      for (const name of counters) {
        if (now[name] < (last?.[name] ?? 0)) this.setbacks.push(`${path} ${name}: ${last![name]} -> ${now[name]}`);
      }
      last = now;
      this.looks++;
      await sleep(pauseMs);
    }
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#watching;
  }
}
