// Octavia's health daemon: watches HAProxy, and reports at every interval and at once when something changed.
import { randomUUID } from 'node:crypto';
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import type { AgentSettings, Heartbeat } from '../agent-api.ts';
import { type Outline, outline } from './config-diff.ts';
import type { HeartbeatQueue } from './heartbeat-queue.ts';
import type { LoadBalancer } from './load-balancer.ts';
import { log, textOf } from './log.ts';
import type { Logs } from './logs/logs.ts';
import { newsIn, readStates, readStatistics, type StatRow, TrafficLedger } from './statistics.ts';

const longestWatchMs = 250;
/** Changes come in bunches: a pool goes down with its members. */
const debounceMs = 100;
const ledgerFile = 'statistics.json';

type States = ReturnType<typeof readStates>;

export class HealthDaemon {
  readonly #settings: AgentSettings;
  #lastTime = 0;
  readonly #loadBalancer: LoadBalancer;
  readonly #queue: HeartbeatQueue;
  readonly #logs: Logs | null;
  readonly #boot = randomUUID();
  readonly #ledger: TrafficLedger;
  #saved = '';
  #sequence = 0;
  #states: States = { listeners: {}, pools: {} };
  #news = '';
  #outline: { text: string; outline: Outline } = { text: '', outline: outline('') };
  #watching: Promise<void> | null = null;
  #sending: Promise<void> | null = null;
  #soon: NodeJS.Timeout | null = null;
  #hasFailed = false;

  constructor(settings: AgentSettings, loadBalancer: LoadBalancer, queue: HeartbeatQueue, logs: Logs | null) {
    this.#settings = settings;
    this.#logs = logs;
    this.#loadBalancer = loadBalancer;
    this.#queue = queue;
    // Counters of an HAProxy that outlived the last agent were partly reported by it.
    this.#ledger = new TrafficLedger(existsSync(ledgerFile) ? JSON.parse(readFileSync(ledgerFile, 'utf8')) : undefined);
  }

  start(): void {
    const { heartbeat_interval_ms } = this.#settings;
    setInterval(() => void this.#watch(), Math.min(heartbeat_interval_ms / 4, longestWatchMs));
    setInterval(() => void this.#send(), heartbeat_interval_ms);
    void this.#send();
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
    const isRunning = haproxy !== null && haproxy.pid !== null;
    const rows = isRunning ? await this.#readWorkers(haproxy) : [];
    this.#states = readStates(rows, this.#outlineOf(store.current?.text ?? ''));
    const news = newsIn(this.#states);
    if (news !== this.#news) this.reportSoon();
    this.#news = news;
    await this.#loadBalancer.deleteDeparted();
  }

  /** Rows of the worker that takes new connections; old ones only add to the traffic until they end. */
  async #readWorkers({ runtime }: NonNullable<LoadBalancer['haproxy']>): Promise<StatRow[]> {
    const { worker, oldWorkers } = await runtime.showProcesses();
    const rows = worker === null ? [] : readStatistics(await runtime.ask(worker, 'show stat -1 7 -1'));
    if (worker !== null) this.#ledger.see(worker, rows);
    for (const old of oldWorkers) {
      const answer = await runtime.ask(old, 'show stat -1 1 -1').catch(() => '');
      const oldRows = readStatistics(answer).filter((row) => row.part === 'FRONTEND');
      if (oldRows.length > 0) this.#ledger.see(old, oldRows);
    }
    this.#ledger.keepWorkers(worker === null ? oldWorkers : [worker, ...oldWorkers]);
    return rows;
  }

  #outlineOf(text: string): Outline {
    if (this.#outline.text !== text) this.#outline = { text, outline: outline(text) };
    return this.#outline.outline;
  }

  #send(): Promise<void> {
    this.#sending ??= this.#report().finally(() => {
      this.#sending = null;
    });
    return this.#sending;
  }

  async #report(): Promise<void> {
    await this.#watch();
    const heartbeat = this.#heartbeat();
    try {
      await this.#queue.send(heartbeat);
      if (this.#hasFailed) log('heartbeats arrive again');
      this.#hasFailed = false;
    } catch (error) {
      // Once per outage, not per heartbeat. The traffic stays owed to the next one.
      if (!this.#hasFailed) log('heartbeat not sent', { error: textOf(error) });
      this.#hasFailed = true;
      return;
    }
    const reported = Object.entries(heartbeat.listeners).map(([id, { stats }]) => [id, stats] as const);
    this.#ledger.settle(Object.fromEntries(reported), this.#outline.outline.frontends);
    this.#saveLedger();
    this.#loadBalancer.haproxy?.trimLog();
  }

  #heartbeat(): Heartbeat {
    const { current, vip } = this.#loadBalancer.store;
    const listeners: Heartbeat['listeners'] = {};
    for (const [id, { status, conns }] of Object.entries(this.#states.listeners)) {
      listeners[id] = { status, stats: { ...this.#ledger.owed(id), conns } };
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
      ...this.#logs?.report(Date.now()),
    };
  }

  /** Heartbeats are put in order by it, so it does not go back when the clock does. */
  #nextTime(): number {
    this.#lastTime = Math.max(Date.now(), this.#lastTime + 1);
    return this.#lastTime;
  }

  /**
   * Not durable on purpose: it matters when the agent is killed, not when the machine loses power. After the report, so
   * that an agent killed in between leads to traffic reported twice rather than never.
   */
  #saveLedger(): void {
    const text = JSON.stringify(this.#ledger.save());
    if (text === this.#saved) return;
    writeFileSync(`${ledgerFile}.new`, text, { mode: 0o600 });
    renameSync(`${ledgerFile}.new`, ledgerFile);
    this.#saved = text;
  }
}
