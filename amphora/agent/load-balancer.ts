// The load balancer on this amphora: what the REST API's verbs do, one after the other. Stands for the part of Octavia's
// agent that keeps haproxy-<id>.service.
import type { AgentSettings, ConfigurationApplied, VipLeft } from '../agent-api.ts';
import { beginToServe, bringIntoForce, type Target } from './apply.ts';
import { CertificateChanger } from './certificate-changes.ts';
import { CertificateFiles, stagingDirectory } from './certificate-files.ts';
import { outline } from './config-diff.ts';
import { type Configuration, ConfigurationStore, filesOf, type Vip } from './configuration.ts';
import { HaproxyProcess } from './haproxy-process.ts';
import type { Identity } from './identity.ts';
import { leaveVip, refuseOlder } from './leaving.ts';
import { log, textOf } from './log.ts';
import { VirtualServers } from './lvs/virtual-servers.ts';
import { readManifest } from './manifest.ts';
import { MemberChanger } from './member-changes.ts';
import { renewPeerCertificate, writePeerCertificate } from './peer-certificate.ts';
import { PingTrial, writePingCheck } from './ping-check.ts';
import { FilesMissing, Outdated, UnknownLoadBalancer } from './refused-verbs.ts';
import { learnSessions, tellSessions } from './sessions.ts';
import { hasPeers, hasRemotePeer } from './standby.ts';
import type { TrafficMeter } from './traffic-meter.ts';
import { ConfigurationRefused, checkConfiguration } from './validation.ts';
import { VipAddresses } from './vip-addresses.ts';

export class LoadBalancer {
  readonly store: ConfigurationStore;
  /** UDP and SCTP listeners, which HAProxy does not serve. */
  readonly virtualServers: VirtualServers;
  readonly #settings: AgentSettings;
  readonly #identity: Identity;
  readonly #traffic: TrafficMeter;
  readonly #onChange: () => void;
  readonly #pings = new PingTrial();
  readonly #addresses: VipAddresses;
  #target: Target | null = null;
  /** Told to stop by the control plane, until told to start. */
  #isStopped = false;
  #last: Promise<unknown> = Promise.resolve();
  #recovery: Promise<void> = Promise.resolve();

  /** `onChange` is called whenever HAProxy may show something new. */
  constructor(settings: AgentSettings, identity: Identity, traffic: TrafficMeter, onChange: () => void) {
    this.#settings = settings;
    this.#addresses = new VipAddresses(settings);
    this.#identity = identity;
    this.#traffic = traffic;
    this.#onChange = onChange;
    this.store = new ConfigurationStore(settings.max_connections);
    this.virtualServers = new VirtualServers(settings, onChange);
    writePingCheck();
  }

  /** The HAProxy of the moment; null before there is a configuration. */
  get haproxy(): HaproxyProcess | null {
    return this.#target?.haproxy ?? null;
  }

  /** @throws ConfigurationRefused, Outdated, FilesMissing */
  push(candidate: Configuration): Promise<ConfigurationApplied> {
    return this.#inTurn(async () => {
      const { store } = this;
      this.#refuseOther(candidate.load_balancer_id);
      if (store.current && candidate.generation < store.current.generation) throw new Outdated('stale');
      const missing = filesOf(candidate).missing(readManifest(candidate.text));
      if (missing.length > 0) throw new FilesMissing(missing);
      store.stage(candidate);
      const staging = stagingDirectory(candidate.load_balancer_id);
      if (hasPeers(candidate.text)) {
        for (const place of [staging, candidate.load_balancer_id]) writePeerCertificate(this.#identity, place);
      }
      try {
        await this.virtualServers.check(candidate.load_balancer_id, candidate.text);
        await checkConfiguration(this.#settings.haproxy_path, staging, '../haproxy.cfg.new');
        await this.#pings.check(candidate.text);
        const method = await this.#apply(candidate);
        await this.#addresses.follow(store);
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
      const { store } = this;
      refuseOlder(store, vip);
      const known = store.holdsVip(vip.load_balancer_id) ? store.vip : null;
      // The VIP is here whether HAProxy can start or not; what keeps it from starting, the next push is told line by line.
      const serving = known === null ? this.#takeOver(vip) : this.#serveWith(vip);
      await serving.catch((error) => log('HAProxy does not start', { error: textOf(error) }));
      await this.#addresses.follow(store);
      if (this.#isToRun()) await this.virtualServers.goBack(vip.load_balancer_id, store.current!.text);
    });
  }

  /** @throws Outdated when this amphora knows of a higher epoch */
  async leave(vip: Vip): Promise<VipLeft> {
    this.#refuseOther(vip.load_balancer_id);
    return this.#inTurn(() => leaveVip(this.store, this.#target, this.virtualServers, vip));
  }

  /** The files of a load balancer that is here, or of one that is to come. @throws Outdated */
  filesOf(loadBalancerId: string): CertificateFiles {
    this.#refuseOther(loadBalancerId);
    return new CertificateFiles(loadBalancerId);
  }

  start(loadBalancerId: string): Promise<void> {
    return this.#inTurn(async () => {
      this.#requireKnown(loadBalancerId);
      this.#isStopped = false;
      if (!this.#isToRun()) return;
      // Who stands by passes nothing on, and its machine may be that of the other one.
      const isServing = this.store.holdsVip(loadBalancerId);
      if (isServing) await this.virtualServers.goBack(loadBalancerId, this.store.current!.text);
      await this.#targetFor(loadBalancerId).haproxy.start();
    });
  }

  stop(loadBalancerId: string): Promise<void> {
    return this.#inTurn(async () => {
      this.#requireKnown(loadBalancerId);
      this.#isStopped = true;
      if (this.haproxy?.pid) await this.#traffic.lookLast(this.haproxy.runtime);
      await this.virtualServers.stop();
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
      if (this.store.current?.load_balancer_id === loadBalancerId) {
        await this.virtualServers.remove();
        await this.#target?.haproxy.stop();
      }
      this.store.forget(loadBalancerId);
      await this.#addresses.follow(this.store);
      if (this.store.current === null) this.#target = null;
      this.#isStopped = false;
    });
  }

  /** After a start of the agent: takes over the HAProxy that is there, or starts it. */
  recover(): Promise<void> {
    this.#recovery = this.#inTurn(async () => {
      const { current } = this.store;
      await this.#addresses.follow(this.store);
      if (current === null || !this.#isToRun()) return;
      const isServing = this.store.holdsVip(current.load_balancer_id);
      // What does not start says so only after seconds, for which the other one is not to wait.
      const virtual = this.virtualServers.recover(current.load_balancer_id, isServing ? current.text : '');
      await this.#recoverHaproxy(current).finally(() => virtual);
    });
    return this.#recovery;
  }

  /** The agent has another certificate, or trusts others: so does HAProxy, towards its peers. */
  renewIdentity(): Promise<void> {
    return this.#inTurn(() => this.#renewPeers());
  }

  async #renewPeers(): Promise<void> {
    const { current } = this.store;
    if (current === null || !hasPeers(current.text)) return;
    await renewPeerCertificate(this.#identity, current.load_balancer_id, this.haproxy);
  }

  async #recoverHaproxy(current: Configuration): Promise<void> {
    const { haproxy, members } = this.#targetFor(current.load_balancer_id);
    const wasInterrupted = this.store.wasInterrupted();
    if (wasInterrupted) this.store.restore();
    const isRunning = await haproxy.adopt();
    await this.#renewPeers();
    if (!isRunning) return haproxy.start();
    if (wasInterrupted) return haproxy.reload();
    const { worker } = await haproxy.runtime.showProcesses();
    if (worker !== null) await members.adoptDepartures(worker, outline(current.text));
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
    await this.virtualServers.stop();
    await this.#target?.haproxy.retire();
  }

  async #apply(candidate: Configuration): Promise<ConfigurationApplied['method']> {
    const { store } = this;
    const isShared = hasRemotePeer(candidate.text);
    const { haproxy } = this.#targetFor(candidate.load_balancer_id);
    if (store.holdsVip(candidate.load_balancer_id) && !this.#isStopped) {
      const method = await this.#bringIntoForce(candidate);
      if (isShared && method === 'reload') await tellSessions(haproxy.runtime);
      return method;
    }
    if ((isShared || store.hasLeft(candidate.load_balancer_id)) && !this.#isStopped) {
      await bringIntoForce(this.#targetFor(candidate.load_balancer_id), candidate);
      if (isShared) await learnSessions(haproxy.runtime);
      return 'kept';
    }
    // Nobody is left whom it could share its sessions with.
    await haproxy.stop();
    store.install(candidate);
    store.commit(candidate);
    return 'kept';
  }

  /** Both or neither: what HAProxy refuses is not in force with keepalived either. */
  async #bringIntoForce(candidate: Configuration): Promise<ConfigurationApplied['method']> {
    const { load_balancer_id, text } = candidate;
    try {
      const hasChanged = await this.virtualServers.bringIntoForce(load_balancer_id, text);
      const method = await bringIntoForce(this.#targetFor(load_balancer_id), candidate);
      return hasChanged && method === 'none' ? 'reload' : method;
    } catch (error) {
      await this.virtualServers.goBack(load_balancer_id, this.store.current?.text ?? '');
      throw error;
    }
  }

  async #takeOver(vip: Vip): Promise<void> {
    const { store } = this;
    const target = this.#target;
    if (target === null || store.current === null || !(await target.haproxy.isRunning())) return this.#serveWith(vip);
    // Written down only then: an agent that is killed before finds a process that stands by, and is told of the VIP again.
    store.vip = vip;
    await beginToServe(target, store.current).finally(() => store.setVip(vip));
  }

  async #serveWith(vip: Vip): Promise<void> {
    this.store.setVip(vip);
    if (!this.#isToRun()) return;
    const { haproxy } = this.#targetFor(vip.load_balancer_id);
    if (!(await haproxy.isRunning())) this.store.restore();
    await haproxy.start();
  }

  #isToRun(): boolean {
    const { current } = this.store;
    if (current === null || this.#isStopped) return false;
    const { load_balancer_id, text } = current;
    return this.store.holdsVip(load_balancer_id) || this.store.hasLeft(load_balancer_id) || hasRemotePeer(text);
  }

  #targetFor(loadBalancerId: string): Target {
    if (this.#target) return this.#target;
    const haproxy = new HaproxyProcess(this.#settings.haproxy_path, loadBalancerId, this.#traffic, () => {
      this.#target?.members.forgetDepartures();
      this.#onChange();
    });
    this.#target = {
      store: this.store,
      haproxy,
      members: new MemberChanger(haproxy.runtime, this.#traffic),
      certificates: new CertificateChanger(haproxy.runtime),
    };
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
      const isExpected = [ConfigurationRefused, Outdated, FilesMissing].some((kind) => error instanceof kind);
      if (!isExpected) log('failed', { error: textOf(error) });
    });
    if (notice === 'noticed') this.#last = this.#last.then(() => this.#onChange());
    return result;
  }
}
