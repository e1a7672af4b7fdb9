// Changes members of the running HAProxy through the Runtime API, without a reload and without cutting a connection.
import type { Member, MemberChange, Outline } from './config-diff.ts';
import { memberKey } from './config-diff.ts';
import type { RuntimeApi } from './runtime-api.ts';
import type { TrafficMeter } from './traffic-meter.ts';

/** HAProxy did not do as told; only a reload brings the text into force. */
export class RuntimeRefused extends Error {
  override readonly name = 'RuntimeRefused';
}

interface Command {
  text: string;
  expects: RegExp;
}

/** Commands that only change a state are answered with silence. */
const silently = (text: string): Command => ({ text, expects: /^$/ });

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
    const commands = changes.flatMap((change) => this.#commandsFor(change));
    const answers = await this.#runtime.askAll(
      worker,
      commands.map((command) => command.text),
    );
    const refused = commands.findIndex((command, index) => !command.expects.test(answers[index]!));
    if (refused !== -1) throw new RuntimeRefused(`${commands[refused]!.text}: ${answers[refused]}`);
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
    const departing = this.#departing.get(key);
    return departing?.parameters === change.member.parameters
      ? commandsToRevive(key, change.member)
      : commandsToAdd(key, change.member);
  }
}

function commandsToAdd(key: string, member: Member): Command[] {
  const add = { text: `add server ${key} ${member.parameters} weight ${member.weight}`, expects: /registered/ };
  const isChecked = member.parameters.split(' ').includes('check');
  // A server is added in maintenance with its checks off: checks first, so that it is never in use unwatched.
  return [
    add,
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
