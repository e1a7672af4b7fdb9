// Words of the file that the agent hands to the Runtime API: there they are read by other rules, and no text may become a second command.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { compare, outline } from '../../amphora/agent/config-diff.ts';
import { MemberChanger } from '../../amphora/agent/member-changes.ts';
import { RuntimeApi } from '../../amphora/agent/runtime-api.ts';
import type { TrafficMeter } from '../../amphora/agent/traffic-meter.ts';
import { commandsOf } from '../support/haproxy-tokens.ts';

/** Notes what it is told, and agrees. */
class Listening extends RuntimeApi {
  readonly heard: string[] = [];
  override async askAll(_worker: number, commands: string[]): Promise<string[]> {
    this.heard.push(...commands);
    const answers: [string, string][] = [
      ['add server', 'New server registered.'],
      ['del server', 'Server deleted.'],
    ];
    return commands.map((command) => answers.find(([verb]) => command.startsWith(verb))?.[1] ?? '');
  }
}

const hostile = [
  ...[
    ';',
    '; shutdown',
    '\\',
    "'",
    '"',
    '#',
    '$',
    '${HOME}',
    '<<',
    '@1',
    '!',
    '%',
    '{',
    '\\;',
    '\\n',
    '\\x0a',
    'weight',
    'disabled',
  ],
  ...['check', 'cookie', 'backup', 'ü', '\0', '\r', '\v', '\u0085', '\u2028', ';del server b/x', '-', 'inter', '5'],
];
const word = fc.array(fc.constantFrom(...hostile), { minLength: 1, maxLength: 3 }).map((parts) => parts.join(''));
const name = fc.oneof(fc.constant('m'), fc.constant('n'), word);
const line = fc
  .tuple(name, fc.array(word, { maxLength: 5 }))
  .map(([id, words]) => `server ${[id, '127.0.0.1:80', ...words].join(' ')}`);
const configuration = fc.array(line, { maxLength: 4 }).map((lines) => ['backend b', ...lines, ''].join('\n'));

/** Counts nothing, and has no file to note it in. */
const deletesAtOnce = {
  async deleteServers(runtime: RuntimeApi, worker: number, keys: string[]): Promise<string[]> {
    await runtime.askAll(
      worker,
      keys.map((key) => `del server ${key}`),
    );
    return keys;
  },
} as TrafficMeter;

const verbs = new Set(['add server', 'del server', 'set server', 'enable health', 'enable server']);

test('no word of a member becomes a second command, or another word than it was', async () => {
  let told = 0;
  await fc.assert(
    fc.asyncProperty(configuration, configuration, async (before, after) => {
      const difference = compare(outline(before), outline(after));
      if (difference.kind !== 'members') return;
      const runtime = new Listening('/nowhere');
      await new MemberChanger(runtime, deletesAtOnce).apply(1, difference.changes);
      for (const command of runtime.heard) {
        const read = commandsOf(command);
        expect(read, JSON.stringify(command)).toEqual([command.split(' ')]);
        expect(verbs).toContain(read[0]!.slice(0, 2).join(' '));
        told++;
      }
    }),
    { numRuns: 3_000 },
  );
  expect(told).toBeGreaterThan(100);
});

test.for(['a\u2028b', 'a\u00a0b', 'a\vb', 'ü', 'a\rb'])(
  'leaves %j to the file, where HAProxy takes it for one word',
  (text) => {
    const withMember = `backend b\nserver m 127.0.0.1:80 alpn ${text}\n`;
    expect(compare(outline('backend b\n'), outline(withMember))).toEqual({ kind: 'other' });
  },
);
