// What a deployment has to do for a load balancer, step by step, through its public API alone.
import { setTimeout as sleep } from 'node:timers/promises';
import { hold, type Report, Skipped } from '../demo/report.ts';
import { type Credentials, type Row, SmokeClient } from './client.ts';

export interface Wish extends Credentials {
  /** Where the VIP goes; the first subnet there is, if it is not said. */
  subnet: string | undefined;
  /** `ADDRESS:PORT` of an HTTP server that amphorae reach, for traffic; this machine has to reach the VIP then. */
  member: string | undefined;
  /** For whatever has to be built. */
  withinMs: number;
}

interface Tree extends Row {
  vip_address: string;
  pools: Row[];
}

const port = 80;
const requests = 20;
const mostFailed = 2;
const base = '/v2.0/lbaas/loadbalancers';
/** Of TEST-NET-1: nobody answers there. */
const nobody = { address: '192.0.2.10', protocol_port: 8080 };

export class Smoke {
  readonly #wish: Wish;
  #client: SmokeClient | undefined;
  #creating: Promise<Tree> | undefined;
  #isGone = false;

  constructor(wish: Wish) {
    this.#wish = wish;
  }

  /** Later steps are not tried without what they need. @returns whether all held */
  async take(report: Report): Promise<void> {
    if (!(await report.step('the endpoint answers', () => this.#versions()))) return;
    if (!(await report.step('log in', () => this.#login()))) return;
    if (!(await report.step('create a load balancer', () => this.#create()))) return;
    await report.step('add a member', () => this.#addMember());
    if (this.#wish.member) await report.step('traffic through the VIP', () => this.#traffic());
    await report.step('statistics', () => this.#statistics());
    await report.step('fail over', () => this.#failover());
    if (this.#wish.member) await report.step('traffic after the failover', () => this.#traffic());
    await report.step('delete it', () => this.#delete());
  }

  /** Deletes what is still there, also of a creation that was not answered yet. */
  async clear(): Promise<void> {
    const tree = await this.#creating?.catch(() => undefined);
    if (tree !== undefined && !this.#isGone) await this.#delete();
  }

  get #api(): SmokeClient {
    if (this.#client === undefined) throw new Error('there is no token');
    return this.#client;
  }

  async #tree(): Promise<Tree> {
    if (this.#creating === undefined) throw new Error('there is no load balancer');
    return this.#creating;
  }

  async #versions(): Promise<string> {
    const response = await fetch(`${this.#wish.endpoint}/`, { signal: AbortSignal.timeout(this.#wish.withinMs) });
    const { versions } = (await response.json()) as { versions: { id: string; status: string }[] };
    const current = versions.find(({ status }) => status === 'CURRENT');
    hold(current !== undefined, 'no version is CURRENT: is this the endpoint of the load balancer API?');
    return `Octavia ${current!.id} at ${this.#wish.endpoint}`;
  }

  async #login(): Promise<string> {
    this.#client = await SmokeClient.login(this.#wish);
    return `${this.#wish.username} of project ${this.#wish.project}`;
  }

  async #subnet(): Promise<string> {
    if (this.#wish.subnet) return this.#wish.subnet;
    const [first] = await this.#api.call<Row[]>('GET', '/network/v2.0/subnets');
    hold(first !== undefined, 'there is no subnet for the VIP: name one with --subnet');
    return first!.id;
  }

  async #create(): Promise<string> {
    const [address, memberPort] = this.#wish.member?.split(':') ?? [];
    const members = address ? [{ address, protocol_port: Number(memberPort) }] : [];
    const default_pool = { name: 'smoke', protocol: 'HTTP', lb_algorithm: 'ROUND_ROBIN', members };
    const listeners = [{ name: 'smoke', protocol: 'HTTP', protocol_port: port, default_pool }];
    const loadbalancer = { name: `smoke-${process.pid}`, vip_subnet_id: await this.#subnet(), listeners };
    this.#creating = this.#api.call<Tree>('POST', base, { loadbalancer });
    const { id, vip_address } = await this.#creating;
    await this.#api.untilActive(`${base}/${id}`, this.#wish.withinMs);
    return `${id} is ACTIVE, its VIP is ${vip_address}`;
  }

  async #addMember(): Promise<string> {
    const { id, pools } = await this.#tree();
    const path = `/v2.0/lbaas/pools/${pools[0]!.id}/members`;
    const { id: memberId } = await this.#api.call('POST', path, { member: { ...nobody, weight: 0 } });
    await this.#api.untilActive(`${base}/${id}`, this.#wish.withinMs);
    const { provisioning_status } = await this.#api.call('GET', `${path}/${memberId}`);
    hold(provisioning_status === 'ACTIVE', `the member is ${provisioning_status}`);
    return 'in force';
  }

  async #traffic(): Promise<string> {
    const { vip_address: vip } = await this.#tree();
    const url = `http://${vip.includes(':') ? `[${vip}]` : vip}:${port}/`;
    let failed = 0;
    // Where nothing comes through, the first few say so.
    for (let sent = 0; sent < requests && failed < mostFailed; sent++) {
      const response = await fetch(url, { signal: AbortSignal.timeout(5_000) }).catch(() => undefined);
      if (response === undefined || response.status >= 500) failed++;
      await response?.body?.cancel();
    }
    const advice = 'does this machine reach the VIP, and do amphorae reach the member?';
    hold(failed === 0, `${failed} requests to ${url} failed: ${advice}`);
    return `${requests} requests to ${url}, 0 failed`;
  }

  async #statistics(): Promise<string> {
    const { id } = await this.#tree();
    const stats = await this.#api.call<Record<string, number>>('GET', `${base}/${id}/stats`);
    return Object.entries(stats)
      .map(([name, value]) => `${name} ${value}`)
      .join(', ');
  }

  /** For administrators, in Octavia's policies. */
  async #failover(): Promise<string> {
    const { id } = await this.#tree();
    const started = performance.now();
    try {
      await this.#api.call('PUT', `${base}/${id}/failover`);
    } catch (error) {
      if ((error as { status?: number }).status === 403) throw new Skipped('the user may not fail over');
      throw error;
    }
    await sleep(500);
    await this.#api.untilActive(`${base}/${id}`, this.#wish.withinMs);
    return `ACTIVE again after ${((performance.now() - started) / 1_000).toFixed(1)} s`;
  }

  async #delete(): Promise<string> {
    const { id } = await this.#tree();
    await this.#api.call('DELETE', `${base}/${id}?cascade=true`);
    await this.#api.untilGone(`${base}/${id}`, this.#wish.withinMs);
    this.#isGone = true;
    return 'gone';
  }
}
