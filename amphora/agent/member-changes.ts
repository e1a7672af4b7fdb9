// Changes members of the running HAProxy through the Runtime API, without a reload and without cutting a connection.
import type { Member, MemberChange, Outline } from './config-diff.ts';
import { memberKey } from './config-diff.ts';
import type { RuntimeApi } from './runtime-api.ts';
import { type Command, tell } from './runtime-commands.ts';
import type { TrafficMeter } from './traffic-meter.ts';

/** Commands that only change a state are answered with silence. */
const silently = (text: string): Command => ({ text, isDone: (answer) => answer === '' });

export class MemberChanger {
  readonly #runtime: RuntimeApi;
  readonly #traffic: TrafficMeter;
  /**
   * Removed members that still have connections, by key: in maintenance, to be deleted after their last connection. HAProxy
   * keeps idle ones to a member for seconds. What is known of them; null for those an earlier agent removed.
   */
  readonly #departing = new Map<string, Member | null>();

  constructor(runtime: RuntimeApi, traffic: TrafficMeter) {
    this.#runtime = runtime;
    this.#traffic = traffic;
  }

  get hasDepartures(): boolean {
    return this.#departing.size > 0;
  }

  /** A new worker knows only the members of its text. */
  forgetDepartures(): void {
    this.#departing.clear();
  }

  /** Members of a worker that was found running which the text does not have: an earlier agent was removing them. */
  async adoptDepartures(worker: number, configured: Outline): Promise<void> {
    const state = await this.#runtime.ask(worker, 'show servers state');
    for (const row of state.split('\n').slice(2)) {
      const [, backend = '', , name = ''] = row.split(' ');
      const key = memberKey({ backend, name });
      if (configured.backends.has(backend) && !configured.members.has(key)) this.#departing.set(key, null);
    }
  }

  /** @throws RuntimeRefused when HAProxy refused any of it; some may have been done */
  async apply(worker: number, changes: MemberChange[]): Promise<void> {
    // A member that comes back before its old self is gone: rather a new one, else the old one goes on.
    if (changes.some((change) => change.kind === 'add' && this.#departing.has(memberKey(change.member)))) {
      await this.deleteDeparted(worker);
    }
    const additions = changes.filter((change) => change.kind === 'add' && !this.#isRevived(change.member));
    const commands = [
      ...additions.map(({ member }) => commandToAdd(member)),
      ...commandsForCookies(changes),
      ...changes.flatMap((change) => this.#commandsFor(change)),
    ];
    await tell(this.#runtime, worker, commands);
    for (const { kind, member } of changes) {
      if (kind === 'remove') this.#departing.set(memberKey(member), member);
      if (kind === 'add') this.#departing.delete(memberKey(member));
    }
    await this.deleteDeparted(worker);
  }

  /** HAProxy refuses to delete a server with connections, so this is tried again until they have ended by themselves. */
  async deleteDeparted(worker: number): Promise<void> {
    if (!this.hasDepartures) return;
    const gone = await this.#traffic.deleteServers(this.#runtime, worker, [...this.#departing.keys()]);
    for (const key of gone) this.#departing.delete(key);
  }

  #commandsFor(change: MemberChange): Command[] {
    const key = memberKey(change.member);
    if (change.kind === 'remove') return [silently(`set server ${key} state maint`)];
    if (change.kind === 'set') return commandsToSet(key, change.from, change.member);
    return this.#isRevived(change.member) ? commandsToRevive(key, change.member) : commandsToUse(key, change.member);
  }

  /** It was removed, is still there, and comes back as it was. */
  #isRevived(member: Member): boolean {
    return this.#departing.get(memberKey(member))?.parameters === member.parameters;
  }
}

const commandToAdd = (member: Member): Command => ({
  text: `add server ${memberKey(member)} ${member.parameters} weight ${member.weight}`,
  isDone: (answer) => answer.includes('registered'),
});

/** HAProxy makes up cookies at its start and when told, for all members of a backend at once: before any of them is in use. */
function commandsForCookies(changes: MemberChange[]): Command[] {
  const additions = changes.filter((change) => change.kind === 'add' && change.hasCookie);
  const backends = new Set(additions.map(({ member }) => member.backend));
  return [...backends].map((backend) => silently(`enable dynamic-cookie backend ${backend}`));
}

/** It was just added. */
function commandsToUse(key: string, member: Member): Command[] {
  const isChecked = member.parameters.split(' ').includes('check');
  // A server is added in maintenance with its checks off: checks first, so that it is never in use unwatched.
  return [
    ...(isChecked ? [silently(`enable health ${key}`)] : []),
    ...(member.isDisabled ? [] : [silently(`enable server ${key}`)]),
  ];
}

/** It is in maintenance. */
function commandsToRevive(key: string, member: Member): Command[] {
  const weight = silently(`set server ${key} weight ${member.weight}`);
  return member.isDisabled ? [weight] : [weight, silently(`set server ${key} state ready`)];
}

function commandsToSet(key: string, from: Member, to: Member): Command[] {
  const state = silently(`set server ${key} state ${to.isDisabled ? 'maint' : 'ready'}`);
  return [
    ...(from.weight === to.weight ? [] : [silently(`set server ${key} weight ${to.weight}`)]),
    ...(from.isDisabled === to.isDisabled ? [] : [state]),
  ];
}
