// Whatever text reaches the rows, a user cannot write a directive of keepalived's.
import fc from 'fast-check';
import { afterAll, expect, test } from 'vitest';
import type { Tree } from '../../lambdas/domain/tree.ts';
import { Unrenderable } from '../../lambdas/domain/unrenderable.ts';
import { renderVirtualServers } from '../../lambdas/lvs/render.ts';
import { aListener, aLoadBalancer, aMember, aMonitor, aPool, aTree, idOf } from '../support/builders.ts';
import { KeepalivedDirectory } from '../support/keepalived.ts';

const directory = new KeepalivedDirectory();
afterAll(() => directory[Symbol.dispose]());

const harmless = aTree({
  loadBalancer: aLoadBalancer(),
  listeners: [aListener({ protocol: 'UDP', default_pool_id: idOf('pool') })],
  pools: [aPool({ protocol: 'UDP' })],
  healthMonitors: [
    aMonitor({
      type: 'HTTP',
      http_method: 'GET',
      url_path: '/',
      expected_codes: '200',
      http_version: 1.1,
      domain_name: 'example.com',
    }),
  ],
  members: [aMember({ monitor_address: '192.0.2.9' })],
});
type Collection = 'listeners' | 'pools' | 'healthMonitors' | 'members';
const places: [Collection | 'loadBalancer', string][] = [
  ['loadBalancer', 'vip_address'],
  ['listeners', 'id'],
  ['listeners', 'name'],
  ['listeners', 'description'],
  ['pools', 'lb_algorithm'],
  ['pools', 'name'],
  ['members', 'id'],
  ['members', 'name'],
  ['members', 'address'],
  ['members', 'monitor_address'],
  ['healthMonitors', 'name'],
  ['healthMonitors', 'url_path'],
  ['healthMonitors', 'url_path'],
  ['healthMonitors', 'url_path'],
  ['healthMonitors', 'domain_name'],
  ['healthMonitors', 'expected_codes'],
  ['healthMonitors', 'http_method'],
];

function withHostile([where, key]: (typeof places)[number], hostile: string): Tree {
  if (where === 'loadBalancer') return { ...harmless, loadBalancer: { ...harmless.loadBalancer, [key]: hostile } };
  return { ...harmless, [where]: [{ ...harmless[where][0], [key]: hostile }] } as Tree;
}

const fragments = [
  '\n',
  '\r',
  '\0',
  '\t',
  ' ',
  '#',
  '!',
  '\\',
  "'",
  '"',
  '$',
  '${_PWD}',
  '~SEQ(1,9)',
  '@x',
  '{',
  '}',
  ';',
  '%',
];
const directives = [
  '\n}\nglobal_defs {',
  '\ninclude /etc/passwd',
  ' {\n notify_up /bin/sh',
  '\n# member x 1.2.3.4 5',
  '/',
  '200',
  '8.8.8.8',
];
const hostileText = fc
  .array(fc.oneof(fc.constantFrom(...fragments, ...directives), fc.string({ unit: 'binary', maxLength: 12 })), {
    maxLength: 8,
  })
  .map((parts) => parts.join(''))
  // Without a name of a host there is rightly a line less.
  .filter((text) => text !== '');
/** With a slash in front more of it is taken for a path. */
const attack = fc.tuple(
  fc.constantFrom(...places),
  fc.oneof(
    hostileText,
    hostileText.map((text) => `/${text}`),
  ),
);

function rendered(tree: Tree): string | undefined {
  try {
    return renderVirtualServers(tree)?.text;
  } catch (error) {
    if (error instanceof Unrenderable) return undefined;
    throw error;
  }
}

/** The bare line of a group begins with the address. */
const isAddress = (shape: string) => shape.replace(/^[\d.]+ /, 'address ');

test('hostile text in any string of a row is refused or stays one argument', async () => {
  // Of each line its keyword and how many words it has.
  const shapeOf = (text: string) =>
    text.split('\n').map((line) => {
      const words = line.trim().split(/\s+/);
      return `${words[0]} ${words.length}`;
    });
  const [, ...expected] = shapeOf(renderVirtualServers(harmless)!.text);
  let accepted = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(attack, { minLength: 60, maxLength: 60 }), async (attacks) => {
      const texts = attacks.flatMap(([place, hostile]) => rendered(withHostile(place, hostile)) ?? []);
      for (const text of texts) expect(shapeOf(text).slice(1).map(isAddress)).toEqual(expected.map(isAddress));
      accepted += texts.length;
      // As one text: keepalived is asked once. Names of groups are made different.
      const together = texts.map((text, index) =>
        text.replaceAll('-ipv', `-${index}-ipv`).replace(/^global_defs[^}]*}/, ''),
      );
      const { output } = await directory.check(together.join('\n'));
      expect(
        output.split('\n').filter((line) => !/is duplicated|is already configured/.test(line) && line !== ''),
      ).toEqual([]);
    }),
    { numRuns: 25, endOnFailure: true },
  );
  // Had everything been refused, nothing would have been tried.
  expect(accepted).toBeGreaterThan(200);
}, 60_000);
