// Changes certificates of the running HAProxy through the Runtime API: connections go on, and the next handshake has the new ones.
// Octavia reloads. Another authority or revocation list takes a reload here too: HAProxy 2.6 would go on resuming sessions of
// clients that are revoked now, and would tell members without a client certificate nothing of it, and call both a success.
import type { CertificateFiles } from './certificate-files.ts';
import type { Manifest } from './manifest.ts';
import type { RuntimeApi } from './runtime-api.ts';
import { type Command, RuntimeRefused, tell } from './runtime-commands.ts';

/** As the process knows them: by the names that its configuration had. */
const pathOf = (slot: string) => `/proc/self/cwd/slots/${slot}`;

/** HAProxy takes a command with its text as one buffer, of which some is its own. */
const textLimitBytes = 14_000;

type Kind = 'cert' | 'ca-file' | 'crl-file' | 'list';
const kindOf = (slot: string): Kind =>
  slot.endsWith('.pem') ? 'cert' : slot.endsWith('.ca') ? 'ca-file' : slot.endsWith('.crl') ? 'crl-file' : 'list';
const kinds = ['cert', 'ca-file', 'crl-file'] as const;

export class CertificateChanger {
  readonly #runtime: RuntimeApi;

  constructor(runtime: RuntimeApi) {
    this.#runtime = runtime;
  }

  /**
   * Brings new contents into the process, before members that refer to them.
   * @throws RuntimeRefused when a reload has to do it; some may have been done
   */
  async apply(worker: number, files: CertificateFiles, from: Manifest, to: Manifest): Promise<void> {
    const known = await this.#known(worker);
    const loads = [...to].flatMap(([slot, digest]) => {
      if (kindOf(slot) === 'list' || (known.has(pathOf(slot)) && from.get(slot) === digest)) return [];
      if (!known.has(pathOf(slot))) return [commandToMake(slot), ...commandsToLoad(slot, files.read(digest))];
      if (kindOf(slot) !== 'cert') throw new RuntimeRefused(`${slot} is checked against by those who are there`);
      return commandsToLoad(slot, files.read(digest));
    });
    const lists = [...to].flatMap(([slot, digest]) => {
      const before = from.get(slot);
      if (kindOf(slot) !== 'list' || before === undefined || before === digest) return [];
      return commandsToChangeList(slot, entriesOf(files.read(before)), entriesOf(files.read(digest)));
    });
    await tell(this.#runtime, worker, [...loads, ...lists]);
  }

  /** Lets go of what no text names any more, after members that referred to it. What is still in use stays until a reload. */
  async forget(worker: number, from: Manifest, to: Manifest): Promise<void> {
    const gone = [...from.keys()].filter((slot) => !to.has(slot) && kindOf(slot) !== 'list');
    if (gone.length === 0) return;
    await this.#runtime.askAll(
      worker,
      gone.map((slot) => `del ssl ${kindOf(slot)} ${pathOf(slot)}`),
    );
  }

  async #known(worker: number): Promise<Set<string>> {
    const answers = await this.#runtime.askAll(
      worker,
      kinds.map((kind) => `show ssl ${kind}`),
    );
    return new Set(answers.flatMap((answer) => answer.split('\n')).map((line) => line.split(' ')[0]!));
  }
}

const entriesOf = (list: string): string[] => list.split('\n').filter((line) => line !== '');

/** For what nobody referred to until now, as with a pool before its first member. */
const commandToMake = (slot: string): Command => ({
  text: `new ssl ${kindOf(slot)} ${pathOf(slot)}`,
  isDone: (answer) => answer.includes(`'${pathOf(slot)}'!`),
});

function commandsToLoad(slot: string, contents: string): Command[] {
  const path = pathOf(slot);
  if (Buffer.byteLength(contents) > textLimitBytes)
    throw new RuntimeRefused(`${slot} is too large for the Runtime API`);
  return [
    {
      text: `set ssl ${kindOf(slot)} ${path} <<\n${contents}`,
      // With a transaction of another file's open, HAProxy changes that one and says "updated".
      isDone: (answer) => /transaction created for /i.test(answer) && answer.includes(`${path}!`),
    },
    { text: `commit ssl ${kindOf(slot)} ${path}`, isDone: (answer) => answer.includes('Success!') },
  ];
}

/** HAProxy adds at the end, and keeps the first for whoever asks for a name that is not there. */
function commandsToChangeList(list: string, from: string[], to: string[]): Command[] {
  const kept = from.filter((entry) => to.includes(entry));
  const added = to.filter((entry) => !from.includes(entry));
  const isReached = from[0] === to[0] && [...kept, ...added].join('\n') === to.join('\n');
  if (!isReached) throw new RuntimeRefused(`${list} has another order`);
  return [
    ...added.map((entry) => ({
      text: `add ssl crt-list ${pathOf(list)} ${pathOf(entry)}`,
      isDone: (answer: string) => answer.includes('Success!'),
    })),
    ...from
      .filter((entry) => !to.includes(entry))
      .map((entry) => ({
        text: `del ssl crt-list ${pathOf(list)} ${pathOf(entry)}`,
        isDone: (answer: string) => answer.includes('deleted in crtlist'),
      })),
  ];
}
