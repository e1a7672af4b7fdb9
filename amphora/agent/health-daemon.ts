// Octavia's health daemon: watches HAProxy, and reports at every interval and at once when something changed.
import { randomUUID } from 'node:crypto';
import type { AgentSettings, Heartbeat } from '../agent-api.ts';
import { type Outline, outline } from './config-diff.ts';
import type { HeartbeatQueue } from './heartbeat-queue.ts';
import type { LoadBalancer } from './load-balancer.ts';
import { log, textOf } from './log.ts';
import type { Logs } from './logs/logs.ts';
import { documentsIn, lvsListeners } from './lvs/documents.ts';
import { newsIn, openConnections, readStates } from './statistics.ts';
import { type Accounts, accountsIn } from './traffic-ledger.ts';
import type { TrafficMeter } from './traffic-meter.ts';

const longestWatchMs = 250;
/** Changes come in bunches: a pool goes down with its members. */
const debounceMs = 100;

type States = ReturnType<typeof readStates>;

interface Configured {
  text: string;
  outline: Outline;
  accounts: Accounts;
}

function configuredBy(text: string): Configured {
  const outlined = outline(text);
  const accounts = accountsIn(outlined);
  for (const { id } of lvsListeners(documentsIn(text).keepalived)) accounts.listeners.add(id);
  return { text, outline: outlined, accounts };
}

export class HealthDaemon {
  readonly #settings: AgentSettings;
  #lastTime = 0;
  readonly #loadBalancer: LoadBalancer;
  readonly #queue: HeartbeatQueue;
  readonly #logs: Logs | null;
  readonly #boot = randomUUID();
  readonly #traffic: TrafficMeter;
  #open = new Map<string, number>();
  #sequence = 0;
  #states: States = { listeners: {}, pools: {} };
  #news = '';
  #configured: Configured = configuredBy('');
  #watching: Promise<void> | null = null;
  #deleting: Promise<void> | null = null;
  #sending: Promise<void> | null = null;
  #soon: NodeJS.Timeout | null = null;
  #hasFailed = false;

  constructor(
    settings: AgentSettings,
    loadBalancer: LoadBalancer,
    traffic: TrafficMeter,
    queue: HeartbeatQueue,
    logs: Logs | null,
  ) {
    this.#settings = settings;
    this.#logs = logs;
    this.#loadBalancer = loadBalancer;
    this.#traffic = traffic;
    this.#queue = queue;
  }

  start(): void {
    const { heartbeat_interval_ms } = this.#settings;
    setInterval(() => void this.#watch(), Math.min(heartbeat_interval_ms / 4, longestWatchMs));
    // None at once: before HAProxy was looked for it would say that no listener is there. Whoever has looked asks for a report.
    setInterval(() => void this.#send(), heartbeat_interval_ms);
  }

  /** Something changed: the control plane is told without waiting for the interval. */
  reportSoon(): void {
    this.#soon ??= setTimeout(() => {
      this.#soon = null;
      void this.#send();
    }, debounceMs);
  }

  #watch(): Promise<void> {
    this.#watching ??= this.#look()
      // HAProxy does not answer while it is being reloaded; what was seen last stays true for that moment.
      .catch(() => {})
      .finally(() => {
        this.#watching = null;
      });
    return this.#watching;
  }

  async #look(): Promise<void> {
    const { haproxy, store } = this.#loadBalancer;
    // One that stands by serves nobody, and has nothing to say of members either.
    const isServing = haproxy !== null && haproxy.pid !== null && store.vip !== null;
    const rows = isServing ? await this.#traffic.look(haproxy.runtime) : [];
    const text = store.current?.text ?? '';
    const states = readStates(rows, this.#outlineOf(text));
    const virtual = this.#loadBalancer.virtualServers.states(text);
    this.#open = openConnections(rows);
    this.#states = {
      listeners: { ...states.listeners, ...virtual.listeners },
      pools: { ...states.pools, ...virtual.pools },
    };
    const news = newsIn(this.#states);
    if (news !== this.#news) this.reportSoon();
    this.#news = news;
    this.#deleteDeparted();
  }

  /** It waits for its turn behind whatever is being applied, and no heartbeat waits with it: a silent amphora is replaced. */
  #deleteDeparted(): void {
    this.#deleting ??= this.#loadBalancer
      .deleteDeparted()
      // Tried again by the next look.
      .catch(() => {})
      .finally(() => {
        this.#deleting = null;
      });
  }

  /** Once per report: it takes a program to read them. */
  async #seeKernel(): Promise<void> {
    const { virtualServers, store } = this.#loadBalancer;
    const rows = await virtualServers.traffic(store.current?.text ?? '');
    if (rows !== null) this.#traffic.seeKernel(rows);
  }

  #outlineOf(text: string): Outline {
    if (this.#configured.text !== text) this.#configured = configuredBy(text);
    return this.#configured.outline;
  }

  #send(): Promise<void> {
    this.#sending ??= this.#report().finally(() => {
      this.#sending = null;
    });
    return this.#sending;
  }

  async #report(): Promise<void> {
    await this.#watch();
    await this.#seeKernel();
    const heartbeat = this.#heartbeat();
    this.#traffic.save();
    try {
      await this.#queue.send(heartbeat);
      if (this.#hasFailed) log('heartbeats arrive again');
      this.#hasFailed = false;
    } catch (error) {
      // Once per outage, not per heartbeat. The next one says all that this one did.
      if (!this.#hasFailed) log('heartbeat not sent', { error: textOf(error) });
      this.#hasFailed = true;
      return;
    }
    this.#traffic.pages.settle(heartbeat.member_pages ?? {});
    this.#loadBalancer.haproxy?.trimLog();
  }

  #heartbeat(): Heartbeat {
    const { current, vip } = this.#loadBalancer.store;
    const listeners: Heartbeat['listeners'] = {};
    for (const [id, { status, conns }] of Object.entries(this.#states.listeners)) {
      listeners[id] = { status, stats: { ...this.#traffic.ledger.total(id), conns } };
    }
    return {
      id: this.#settings.amphora_id,
      seq: this.#sequence++,
      ver: 3,
      sent_at: this.#nextTime(),
      boot: this.#boot,
      load_balancer_id: current?.load_balancer_id ?? vip?.load_balancer_id ?? null,
      generation: current?.generation ?? null,
      digest: current?.digest ?? null,
      listeners,
      pools: this.#states.pools,
      ...this.#memberPages(),
      ...this.#logs?.report(Date.now()),
    };
  }

  #memberPages(): Pick<Heartbeat, 'member_pages'> {
    const { ledger, pages } = this.#traffic;
    // What HAProxy did not tell yet, the configuration does.
    this.#outlineOf(this.#loadBalancer.store.current?.text ?? '');
    ledger.keepAccounts(this.#configured.accounts);
    pages.place(ledger.memberAccounts());
    const member_pages = pages.due((account) => {
      const { rx, tx, totconns, ereq } = ledger.total(account);
      return [rx, tx, totconns, ereq, this.#open.get(account) ?? 0];
    });
    return Object.keys(member_pages).length === 0 ? {} : { member_pages };
  }

  /** Heartbeats are put in order by it, so it does not go back when the clock does. */
  #nextTime(): number {
    this.#lastTime = Math.max(Date.now(), this.#lastTime + 1);
    return this.#lastTime;
  }
}
