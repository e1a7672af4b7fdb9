// Everything a handler may reach, with nothing behind it: noop drivers, a table in memory and a clock the test turns.
import { NoopAmphoraDriver } from '../../lambdas/drivers/amphora/noop.ts';
import { LocalCertificateAuthority } from '../../lambdas/drivers/certificates/local-authority.ts';
import { LocalCertificates } from '../../lambdas/drivers/certificates/local-certificates.ts';
import { aesSealer } from '../../lambdas/drivers/certificates/sealer.ts';
import { NoopInstanceDirectory } from '../../lambdas/drivers/compute/instance-directory.ts';
import { NoopComputeDriver } from '../../lambdas/drivers/compute/noop.ts';
import type { NoopEventDriver } from '../../lambdas/drivers/events/event-driver.ts';
import { NoopFlowDriver } from '../../lambdas/drivers/flows/noop.ts';
import { NoopNetworkDriver } from '../../lambdas/drivers/network/noop.ts';
import { NoopObjectStore } from '../../lambdas/drivers/objects/object-store.ts';
import { NoopQueueDriver } from '../../lambdas/drivers/queue/queue-driver.ts';
import { SqliteTable } from '../../lambdas/drivers/table/sqlite.ts';
import type { Clock } from '../../lambdas/runtime/clock.ts';
import { defaultConfig } from '../../lambdas/runtime/config.ts';
import { newId } from '../../lambdas/runtime/ids.ts';
import { silentLogger } from '../../lambdas/runtime/logger.ts';
import { silentMetrics } from '../../lambdas/runtime/metrics.ts';
import type { Services } from '../../lambdas/runtime/services.ts';
import { CheckedEvents } from './checked-events.ts';
import { streamed } from './streamed-table.ts';

/** Stands still until it is turned; who sleeps turns it. */
export class TurnableClock implements Clock {
  #now = Date.parse('2025-06-01T12:00:00Z');
  /** Whole milliseconds, as a real one's: who waits at random waits for parts of them. */
  now(): number {
    return Math.floor(this.#now);
  }
  turn(ms: number): void {
    this.#now += ms;
  }
  async sleep(ms: number): Promise<void> {
    this.turn(ms);
  }
}

export interface TestServices extends Services {
  clock: TurnableClock;
  queue: NoopQueueDriver;
  flows: NoopFlowDriver;
  events: NoopEventDriver;
  /** Both are one: what users keep is what is served. */
  certificates: LocalCertificates;
  certificateSource: LocalCertificates;
  objects: NoopObjectStore;
}

const encryptionKey = Buffer.alloc(32, 7);

export function testServices(overrides: Partial<TestServices> = {}): TestServices {
  const clock = overrides.clock ?? new TurnableClock();
  const events = overrides.events ?? new CheckedEvents();
  const table = streamed(overrides.table ?? new SqliteTable({ path: ':memory:' }), {
    events,
    clock,
    logger: silentLogger,
  });
  const sealer = aesSealer(encryptionKey);
  const certificates = overrides.certificates ?? new LocalCertificates({ table, sealer });
  return {
    config: defaultConfig,
    logger: silentLogger,
    metrics: silentMetrics,
    clock,
    newId,
    queue: new NoopQueueDriver(),
    flows: new NoopFlowDriver(),
    compute: new NoopComputeDriver(),
    instances: new NoopInstanceDirectory(),
    network: new NoopNetworkDriver({ table, clock, newId }),
    authority: new LocalCertificateAuthority({ table, encryptionKey, clock }),
    certificates,
    certificateSource: certificates,
    amphora: new NoopAmphoraDriver(),
    events,
    objects: new NoopObjectStore(),
    sealer,
    ...overrides,
    table,
  };
}
