// What the service says on the terminal: one line per event, for people or as JSON.
import type { EventDriver, OctaviaEvent } from '../lambdas/drivers/events/event-driver.ts';
import type { Logger } from '../lambdas/runtime/logger.ts';

export type Print = (line: string) => void;

const clockTime = (iso: string): string => new Date(iso).toTimeString().slice(0, 8);
const seconds = (ms: number): string => `${(ms / 1000).toFixed(ms < 10_000 ? 2 : 0)} s`;
const nouns: Record<string, string> = { loadbalancer: 'LB', healthmonitor: 'health monitor' };

/** Remembers since when a resource is PENDING, to tell how long it took. */
class Durations {
  readonly #since = new Map<string, number>();

  /** Milliseconds from PENDING to here; undefined when this is not an end. */
  note(event: OctaviaEvent): number | undefined {
    const at = Date.parse(event.time);
    if (String(event.detail['to']).startsWith('PENDING')) {
      if (!this.#since.has(event.resource_id)) this.#since.set(event.resource_id, at);
      return undefined;
    }
    const since = this.#since.get(event.resource_id);
    this.#since.delete(event.resource_id);
    return since === undefined ? undefined : at - since;
  }
}

function subject({ resource, resource_id, detail, load_balancer_id }: OctaviaEvent): string {
  const name = String(detail['load_balancer_name'] ?? '');
  const noun = nouns[resource] ?? resource;
  const own = resource_id.slice(0, 8);
  if (resource === 'loadbalancer') return name === '' ? `${noun} ${own}` : `${noun} ${name} (${own})`;
  return load_balancer_id === null || load_balancer_id === ''
    ? `${noun} ${own}`
    : `${noun} ${own} of ${name || load_balancer_id.slice(0, 8)}`;
}

const place = ({ detail }: OctaviaEvent): string => (detail['zone'] ? ` of zone ${detail['zone']}` : '');

function sentence(event: OctaviaEvent, tookMs: number | undefined): string {
  const { from, to, reason } = event.detail as { from?: string | null; to?: string; reason?: string };
  const because = reason ? `: ${reason}` : '';
  const took = tookMs === undefined ? '' : ` in ${seconds(tookMs)}`;
  switch (event.type) {
    case 'provisioning_status_changed':
      return from ? `${subject(event)} ${from} -> ${to}${took}${because}` : `${subject(event)} ${to}`;
    case 'operating_status_changed':
      return `${subject(event)} ${from} -> ${to}`;
    case 'storm_guard_engaged':
      return `storm guard: ${event.detail['silent']} of ${event.detail['amphorae']} amphorae${place(event)} are silent; nothing is failed over`;
    case 'storm_guard_released':
      return `storm guard${place(event)} released`;
    default:
      return `${subject(event)} ${event.type.replaceAll('_', ' ')}${because}`;
  }
}

/** Every event as a line. People are spared that a child became PENDING: the line that ends it says how long it took. */
export class ConsoleEvents implements EventDriver {
  readonly #print: Print;
  readonly #isJson: boolean;
  readonly #durations = new Durations();

  constructor(print: Print, isJson: boolean) {
    this.#print = print;
    this.#isJson = isJson;
  }

  async publish(events: OctaviaEvent[]): Promise<void> {
    for (const event of events) this.#tell(event);
  }

  deliver(events: OctaviaEvent[]): Promise<void> {
    return this.publish(events);
  }

  #tell(event: OctaviaEvent): void {
    const tookMs = event.type === 'provisioning_status_changed' ? this.#durations.note(event) : undefined;
    if (this.#isJson) {
      const { type, ...rest } = event;
      this.#print(JSON.stringify({ event: type, ...rest, ...(tookMs === undefined ? {} : { took_ms: tookMs }) }));
      return;
    }
    const isPendingChild = event.resource !== 'loadbalancer' && String(event.detail['to']).startsWith('PENDING');
    if (!isPendingChild) this.#print(`${clockTime(event.time)}  ${sentence(event, tookMs)}`);
  }
}

const told = (value: unknown): unknown => (value instanceof Error ? (value.stack ?? String(value)) : value);

/** Warnings and errors; as lines of their own where every line is JSON. */
export function consoleLogger(print: Print, isJson: boolean): Logger {
  const line = (level: string) => (message: string, detail?: Record<string, unknown>) => {
    const shown = Object.fromEntries(Object.entries(detail ?? {}).map(([name, value]) => [name, told(value)]));
    if (isJson) return print(JSON.stringify({ event: 'log', level, message, ...shown }));
    const rest = Object.entries(shown).map(([name, value]) => `${name}=${value}`);
    print(`${new Date().toTimeString().slice(0, 8)}  ${level}: ${message} ${rest.join(' ')}`.trimEnd());
  };
  return { debug() {}, info() {}, warn: line('warning'), error: line('error') };
}
