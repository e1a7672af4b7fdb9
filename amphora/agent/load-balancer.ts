// The load balancer on this amphora: what the REST API's verbs do, one after the other. Stands for the part of Octavia's
// agent that keeps haproxy-<id>.service.
import type { AgentSettings, ConfigurationApplied } from '../agent-api.ts';
import { bringIntoForce, type Target } from './apply.ts';
import { outline } from './config-diff.ts';
import { type Configuration, ConfigurationStore, type Vip } from './configuration.ts';
import { HaproxyProcess } from './haproxy-process.ts';
import { log, textOf } from './log.ts';
import { MemberChanger } from './member-changes.ts';
import { PingTrial, writePingCheck } from './ping-check.ts';
import type { TrafficMeter } from './traffic-meter.ts';
import { ConfigurationRefused, checkConfiguration } from './validation.ts';

/** Somebody with newer knowledge, or another load balancer, was here before. */
export class Outdated extends Error {
  override readonly name = 'Outdated';
}

/** There is no such load balancer on this amphora. */
export class UnknownLoadBalancer extends Error {
  override readonly name = 'UnknownLoadBalancer';
}

export class LoadBalancer {
  readonly store: ConfigurationStore;
  readonly #settings: AgentSettings;
  readonly #traffic: TrafficMeter;
  readonly #onChange: () => void;
  readonly #pings = new PingTrial();
  #target: Target | null = null;
  /** Told to stop by the control plane, until told to start. */
  #isStopped = false;
  #last: Promise<unknown> = Promise.resolve();
  #recovery: Promise<void> = Promise.resolve();

  /** `onChange` is called whenever HAProxy may show something new. */
  constructor(settings: AgentSettings, traffic: TrafficMeter, onChange: () => void) {
    this.#settings = settings;
    this.#traffic = traffic;
    this.#onChange = onChange;
    this.store = new ConfigurationStore(settings.max_connections);
    writePingCheck();
  }

  /** The HAProxy of the moment; null before there is a configuration. */
  get haproxy(): HaproxyProcess | null {
    return this.#target?.haproxy ?? null;
  }

  /** @throws ConfigurationRefused, Outdated */
  push(candidate: Configuration): Promise<ConfigurationApplied> {
    return this.#inTurn(async () => {
      const { store } = this;
      this.#refuseOther(candidate.load_balancer_id);
      if (store.current && candidate.generation < store.current.generation) throw new Outdated('stale');
      store.stage(candidate);
      try {
        await checkConfiguration(this.#settings.haproxy_path, candidate.load_balancer_id, 'haproxy.cfg.new');
        await this.#pings.check(candidate.text);
        const method = await this.#apply(candidate);
        return { generation: candidate.generation, digest: candidate.digest, method };
      } catch (error) {
        store.unstage(candidate);
        throw error;
      }
    });
  }

  /** @throws Outdated when this amphora knows of a higher epoch */
  plug(vip: Vip): Promise<void> {
    return this.#inTurn(async () => {
      this.#refuseOther(vip.load_balancer_id);
      const known = this.store.holdsVip(vip.load_balancer_id) ? this.store.vip : null;
      if (known && vip.epoch < known.epoch) throw new Outdated('stale');
      this.store.setVip(vip);
      if (!this.#isToRun()) return;
      // The VIP is here whether HAProxy can start or not; what keeps it from starting, the next push is told line by line.
      const { haproxy } = this.#targetFor(vip.load_balancer_id);
      await haproxy.start().catch((error) => log('HAProxy does not start', { error: textOf(error) }));
    });
  }

  start(loadBalancerId: string): Promise<void> {
    return this.#inTurn(async () => {
      this.#requireKnown(loadBalancerId);
      this.#isStopped = false;
      if (this.#isToRun()) await this.#targetFor(loadBalancerId).haproxy.start();
    });
  }

  stop(loadBalancerId: string): Promise<void> {
    return this.#inTurn(async () => {
      this.#requireKnown(loadBalancerId);
      this.#isStopped = true;
      if (this.haproxy?.pid) await this.#traffic.lookLast(this.haproxy.runtime);
      await this.#target?.haproxy.stop();
    });
  }

  /** Of a stopped HAProxy: a start, as in Octavia. */
  async reload(loadBalancerId: string): Promise<void> {
    await this.start(loadBalancerId);
    return this.#inTurn(async () => {
      await this.#target?.haproxy.reload();
      this.#target?.members.forgetDepartures();
    });
  }

  /** No error when it is not here. */
  remove(loadBalancerId: string): Promise<void> {
    return this.#inTurn(async () => {
      if (this.store.current?.load_balancer_id === loadBalancerId) await this.#target?.haproxy.stop();
      this.store.forget(loadBalancerId);
      if (this.store.current === null) this.#target = null;
      this.#isStopped = false;
    });
  }

  /** After a start of the agent: takes over the HAProxy that is there, or starts it. */
  recover(): Promise<void> {
    this.#recovery = this.#inTurn(async () => {
      const { current } = this.store;
      if (current === null || !this.#isToRun()) return;
      const { haproxy, members } = this.#targetFor(current.load_balancer_id);
      const wasInterrupted = this.store.wasInterrupted();
      if (wasInterrupted) this.store.restore();
      if (!(await haproxy.adopt())) return haproxy.start();
      if (wasInterrupted) return haproxy.reload();
      const { worker } = await haproxy.runtime.showProcesses();
      if (worker !== null) await members.adoptDepartures(worker, outline(current.text));
    });
    return this.#recovery;
  }

  /** Tries again to delete members whose connections had not ended. */
  async deleteDeparted(): Promise<void> {
    if (!this.#target?.members.hasDepartures) return;
    await this.#inTurn(async () => {
      if (!this.#target || !(await this.#target.haproxy.isRunning())) return;
      const { worker } = await this.#target.haproxy.runtime.showProcesses();
      if (worker !== null) await this.#target.members.deleteDeparted(worker);
    }, 'unnoticed');
  }

  /** Ends HAProxy with the agent. Waits for no turn: a reload under way may take long. */
  async shutDown(): Promise<void> {
    await this.#recovery.catch(() => {});
    if (this.haproxy?.pid) await this.#traffic.lookLast(this.haproxy.runtime);
    await this.#target?.haproxy.retire();
  }

  async #apply(candidate: Configuration): Promise<ConfigurationApplied['method']> {
    const { store } = this;
    if (store.holdsVip(candidate.load_balancer_id) && !this.#isStopped) {
      return bringIntoForce(this.#targetFor(candidate.load_balancer_id), candidate);
    }
    store.install(candidate);
    store.commit(candidate);
    return 'kept';
  }

  #isToRun(): boolean {
    const { current } = this.store;
    return current !== null && this.store.holdsVip(current.load_balancer_id) && !this.#isStopped;
  }

  #targetFor(loadBalancerId: string): Target {
    if (this.#target) return this.#target;
    const haproxy = new HaproxyProcess(this.#settings.haproxy_path, loadBalancerId, this.#traffic, () => {
      this.#target?.members.forgetDepartures();
      this.#onChange();
    });
    this.#target = { store: this.store, haproxy, members: new MemberChanger(haproxy.runtime, this.#traffic) };
    return this.#target;
  }

  /** An amphora serves one load balancer until that is deleted. */
  #refuseOther(loadBalancerId: string): void {
    const other = this.store.current?.load_balancer_id ?? loadBalancerId;
    if (other !== loadBalancerId) throw new Outdated(`this amphora serves load balancer ${other}`);
  }

  #requireKnown(loadBalancerId: string): void {
    if (this.store.current?.load_balancer_id !== loadBalancerId) {
      throw new UnknownLoadBalancer(`No loadbalancer with UUID: ${loadBalancerId}`);
    }
  }

  /** Two configurations must never be applied at the same time. */
  #inTurn<Result>(verb: () => Promise<Result>, notice: 'noticed' | 'unnoticed' = 'noticed'): Promise<Result> {
    const result = this.#last.then(verb);
    this.#last = result.catch((error) => {
      if (!(error instanceof ConfigurationRefused || error instanceof Outdated))
        log('failed', { error: textOf(error) });
    });
    if (notice === 'noticed') this.#last = this.#last.then(() => this.#onChange());
    return result;
  }
}
