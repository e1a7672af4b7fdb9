// What chaos is let loose on: load balancers of each kind that keeps something, each with a question only a served VIP can answer.
import { connect } from 'node:net';
import { makeIssuer } from '../support/issuers.ts';
import type { LocalService } from '../support/local-service.ts';
import type { Attributes, LoadBalancer } from '../support/octavia-client.ts';
import { ServiceSecrets } from '../support/service-secrets.ts';
import { askOnce, type Place } from '../support/tls-traffic.ts';
import { TestMember } from '../support/traffic.ts';

const port = 8080;
/** 127.2.0.0/16 and on: neither amphorae nor VIPs are there. */
const firstMemberNetwork = 2;
const askWithinMs = 1_000;

export interface Subject {
  name: string;
  id: string;
  place: Place;
  poolId: string;
  /** The network its members are in, and nobody else's. */
  members: string;
  /** Throws unless the answer is a member's. */
  ask: () => Promise<unknown>;
}

/** One request on a connection of its own. @returns the whole answer */
function plainly({ host, port }: Place, cookie = ''): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, host);
    let text = '';
    socket.setEncoding('latin1').setTimeout(askWithinMs, () => socket.destroy(new Error('no answer in time')));
    socket.on('data', (chunk) => {
      text += chunk;
    });
    socket.once('error', reject).once('close', () => {
      if (/^HTTP\/1\.1 200 .*member/s.test(text)) resolve(text);
      else reject(new Error(text.split('\r\n')[0] || 'no answer'));
    });
    const cookies = cookie === '' ? '' : `cookie: ${cookie}\r\n`;
    socket.write(`GET / HTTP/1.1\r\nhost: lb\r\nconnection: close\r\n${cookies}\r\n`);
  });
}

async function within<T>(ms: number, work: Promise<T>): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new Error('no answer in time')), ms);
  return Promise.race([work, late.promise]).finally(() => clearTimeout(timer));
}

/** A client with a session: the cookie it was given leads to the same member ever after. */
function withSession(place: Place, moved: () => void) {
  let session: { cookie: string; member: string } | undefined;
  return async () => {
    // Two may ask at once: who asks before there was an answer gets a session of its own.
    const shown = session;
    const text = await plainly(place, shown?.cookie);
    const member = /member-\d/.exec(text)![0];
    const cookie = /^set-cookie: ([^;\r]+)/im.exec(text)?.[1];
    if (shown !== undefined && member !== shown.member) moved();
    if (cookie !== undefined) session = { cookie, member };
  };
}

export class Subjects implements AsyncDisposable {
  readonly all: Subject[] = [];
  /** Sessions that ended at another member. */
  moved = 0;
  readonly members: TestMember[];
  readonly #service: LocalService;

  private constructor(service: LocalService, members: TestMember[]) {
    this.#service = service;
    this.members = members;
  }

  static async make(service: LocalService): Promise<Subjects> {
    const members = await Promise.all([1, 2].map((n) => TestMember.start(`member-${n}`, '0.0.0.0')));
    const subjects = new Subjects(service, members);
    const pair = await subjects.#flavor('pair', { loadbalancer_topology: 'ACTIVE_STANDBY' });
    await subjects.#make('single', {});
    await subjects.#make('pair', { flavor_id: pair });
    await subjects.#make('tls', {}, await subjects.#tls());
    await subjects.#make('sessions', {}, {}, { session_persistence: { type: 'HTTP_COOKIE' } });
    return subjects;
  }

  /** @returns of the load balancer's own network, where every address leads to the same members */
  member({ members }: Pick<Subject, 'members'>, number: number, which = 0): Attributes {
    const network = members.split('.').slice(0, 2).join('.');
    const address = `${network}.${Math.floor(number / 250)}.${1 + (number % 250)}`;
    return { ...this.members[which]!.attributes, address };
  }

  async #flavor(name: string, data: object): Promise<string> {
    const { api } = this.#service;
    const profile = { name, provider_name: 'amphora', flavor_data: JSON.stringify(data) };
    const made = await api.call('POST', '/v2.0/lbaas/flavorprofiles', { flavorprofile: profile });
    const flavor = { name, flavor_profile_id: made.flavorprofile.id };
    return (await api.call('POST', '/v2.0/lbaas/flavors', { flavor })).flavor.id;
  }

  async #tls(): Promise<Attributes> {
    await using secrets = new ServiceSecrets(this.#service);
    const issuer = await makeIssuer('chaos');
    const default_tls_container_ref = await secrets.keepCertificate(await issuer.issue('www.example'));
    return { protocol: 'TERMINATED_HTTPS', default_tls_container_ref };
  }

  async #make(name: string, given: Attributes, listener: Attributes = {}, pool: Attributes = {}): Promise<void> {
    const { api } = this.#service;
    const members = `127.${firstMemberNetwork + this.all.length}.0.0/16`;
    const firstTwo = this.members.map((_, which) => this.member({ members }, which, which));
    const default_pool = { name, protocol: 'HTTP', lb_algorithm: 'ROUND_ROBIN', members: firstTwo, ...pool };
    const listeners = [{ name, protocol: 'HTTP', protocol_port: port, default_pool, ...listener }];
    const { id } = await api.createLoadBalancer({ name, listeners, ...given });
    this.all.push(this.#subject(name, members, await api.active(id)));
  }

  #subject(name: string, members: string, { id, vip_address, pools }: LoadBalancer): Subject {
    const place = { host: vip_address, port };
    const questions: Record<string, () => Promise<unknown>> = {
      tls: () => within(askWithinMs, askOnce(place)),
      sessions: withSession(place, () => {
        this.moved++;
      }),
    };
    return { name, id, place, members, poolId: pools[0]!.id, ask: questions[name] ?? (() => plainly(place)) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const member of this.members) member[Symbol.dispose]();
  }
}
