// The logs of an amphora: tenants' traffic and what HAProxy and the agent say, apart from the first byte to the last.
import type { ArchiveRight, Heartbeat, LogLimits } from '../../agent-api.ts';
import { sorted } from './frames.ts';
import { LogFile } from './log-file.ts';
import { Receiver } from './receiver.ts';
import { Shipping } from './shipping.ts';

const tickMs = 250;

export class Logs {
  readonly #amphoraId: string;
  readonly #tenant: LogFile;
  readonly #admin: LogFile;
  readonly #shipping: Shipping;
  #attended: { loadBalancerId: string; receiver: Receiver } | null = null;
  /** By HAProxy, for want of room in its ring. */
  #droppedBefore = 0;
  #reported = 0;

  constructor(amphoraId: string, limits: LogLimits) {
    this.#amphoraId = amphoraId;
    this.#tenant = new LogFile('tenant', 'logs/tenant', limits);
    this.#admin = new LogFile('admin', 'logs/admin', limits);
    this.#shipping = new Shipping([this.#tenant.archives, this.#admin.archives]);
    setInterval(() => this.#closeOld(), tickMs).unref();
  }

  /** Receives what the HAProxy of this load balancer logs; null: there is none any more. */
  attend(loadBalancerId: string | null): void {
    if (this.#attended?.loadBalancerId === (loadBalancerId ?? undefined)) return;
    this.#attended?.receiver.close();
    this.#attended = null;
    // Nobody may be there to close it later.
    this.#tenant.close();
    if (loadBalancerId === null) return;
    const receiver = new Receiver(`${loadBalancerId}/log.sock`, (frames) => this.#take(loadBalancerId, frames));
    this.#attended = { loadBalancerId, receiver };
  }

  /** A line of the agent's own. */
  say(line: string): void {
    this.#admin.append(this.#amphoraId, [Buffer.from(line)]);
  }

  ship(name: string, right: ArchiveRight): boolean {
    return this.#shipping.ship(name, right);
  }

  /** What a heartbeat says of them. */
  report(now: number): Pick<Heartbeat, 'logs'> {
    const archives = this.#shipping.toAsk(now);
    const dropped = this.dropped - this.#reported;
    this.#reported += dropped;
    return archives.length === 0 && dropped === 0 ? {} : { logs: { archives, dropped } };
  }

  /** Lines lost since the agent started. */
  get dropped(): number {
    return this.#droppedBefore + this.#tenant.dropped + this.#admin.dropped;
  }

  details(): Record<string, number> {
    const archives = this.#tenant.archives.ready.length + this.#admin.archives.ready.length;
    return { archives, bytes: this.#tenant.bytes + this.#admin.bytes, dropped: this.dropped };
  }

  close(): void {
    this.#tenant.close();
    this.#admin.close();
  }

  #take(loadBalancerId: string, frames: Buffer[]): void {
    const { tenant, admin, dropped } = sorted(frames);
    this.#tenant.append(loadBalancerId, tenant);
    this.#admin.append(
      this.#amphoraId,
      admin.map((line) => Buffer.from(line)),
    );
    this.#droppedBefore += dropped;
  }

  #closeOld(): void {
    const now = Date.now();
    this.#tenant.closeIfOld(now);
    this.#admin.closeIfOld(now);
  }
}
