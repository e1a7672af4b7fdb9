// An amphora's account of its traffic without an amphora: rows that count as HAProxy's do, the agent's own ledger and pages, and
// a way to the control plane on which heartbeats are lost, delayed and doubled.

import { MemberPages } from '../../amphora/agent/member-pages.ts';
import type { StatRow } from '../../amphora/agent/statistics.ts';
import { TrafficLedger } from '../../amphora/agent/traffic-ledger.ts';
import type { Heartbeat, SignedHeartbeat } from '../../amphora/agent-api.ts';
import type { BeatingAmphora } from './heartbeats.ts';

/** What becomes of a heartbeat: `doubted` arrives and the agent does not hear of it, `lost` is handed over and never arrives. */
export const fates = ['arrives', 'arrives twice', 'is refused', 'is doubted', 'is delayed', 'is lost'] as const;

/** A page that was handed over is told again after so many heartbeats. */
export const repeatedAfter = 5;
export type Fate = (typeof fates)[number];

interface Place {
  proxy: string;
  part: string;
}
const keyOf = ({ proxy, part }: Place): string => `${proxy}/${part}`;

export class CountingAmphora {
  readonly #beating: BeatingAmphora;
  readonly #places: Place[];
  #ledger = new TrafficLedger();
  #pages = new MemberPages([], repeatedAfter);
  #saved = '';
  /** Connections by row, of the worker in charge and of old ones. */
  #workers = new Map<number, Map<string, number>>([[1, new Map()]]);
  #worker = 1;
  #sentAt = 1_000;
  #delayed: SignedHeartbeat[] = [];

  constructor(beating: BeatingAmphora, places: Place[]) {
    this.#beating = beating;
    this.#places = places;
    this.#save();
  }

  /** @param isOld through a connection to a worker of before a reload, when there is one */
  count(place: number, connections: number, isOld: boolean): void {
    const old = [...this.#workers.keys()].find((pid) => pid !== this.#worker);
    const rows = this.#workers.get(isOld && old !== undefined ? old : this.#worker)!;
    const key = keyOf(this.#places[place]!);
    rows.set(key, (rows.get(key) ?? 0) + connections);
  }

  look(): void {
    for (const [pid, rows] of this.#workers) this.#ledger.see(pid, this.#rowsOf(rows));
    this.#ledger.keepWorkers([...this.#workers.keys()]);
  }

  #rowsOf(rows: Map<string, number>): StatRow[] {
    return this.#places.map((place) => {
      const totconns = rows.get(keyOf(place)) ?? 0;
      const traffic = { totconns, tx: 2 * totconns, rx: 3 * totconns, ereq: 0 };
      return { ...place, status: 'UP', weight: 1, connections: 0, connectionLimit: 0, traffic };
    });
  }

  /** Old workers end after the agent has seen the last of them. */
  reload(): void {
    this.look();
    this.#save();
    for (const pid of this.#workers.keys()) if (pid !== this.#worker) this.#workers.delete(pid);
    this.#worker++;
    this.#workers.set(this.#worker, new Map());
    this.look();
  }

  /** Through the Runtime API: the server counts from zero. */
  addAgain(place: number): void {
    this.look();
    const key = keyOf(this.#places[place]!);
    this.#workers.get(this.#worker)!.delete(key);
    this.#ledger.forgetServer(this.#worker, key);
    this.#save();
  }

  /** The next agent knows what was saved; HAProxy counts on. */
  restartAgent(): void {
    const { pages, ...ledger } = JSON.parse(this.#saved);
    this.#ledger = new TrafficLedger(ledger);
    this.#pages = new MemberPages(pages, repeatedAfter);
  }

  #save(): void {
    this.#saved = JSON.stringify({ ...this.#ledger.save(), pages: this.#pages.save() });
  }

  async beat(fate: Fate): Promise<void> {
    this.look();
    const heartbeat = this.#heartbeat();
    this.#save();
    const signed = this.#beating.signed(heartbeat);
    if (fate === 'is refused') return;
    if (fate === 'is delayed') this.#delayed.push(signed);
    else if (fate !== 'is lost')
      await this.#beating.deliver(...(fate === 'arrives twice' ? [signed, signed] : [signed]));
    if (fate !== 'is doubted') this.#pages.settle(heartbeat.member_pages ?? {});
  }

  #heartbeat(): Heartbeat {
    this.#pages.place(this.#ledger.memberAccounts());
    const member_pages = this.#pages.due((account) => {
      const { rx, tx, totconns, ereq } = this.#ledger.total(account);
      return [rx, tx, totconns, ereq, 0];
    });
    const listeners = this.#places.filter(({ part }) => part === 'FRONTEND').map(({ proxy }) => proxy);
    return this.#beating.beat({
      sent_at: this.#sentAt++,
      listeners: Object.fromEntries(
        listeners.map((id) => [id, { status: 'OPEN' as const, stats: { ...this.#ledger.total(id), conns: 0 } }]),
      ),
      member_pages,
    });
  }

  /** The delayed ones arrive, the last one first. */
  async deliverDelayed(): Promise<void> {
    const late = this.#delayed.reverse();
    this.#delayed = [];
    for (const one of late) await this.#beating.deliver(one);
  }
}
