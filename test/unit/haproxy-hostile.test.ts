// Whatever text reaches the rows, a user cannot write a directive of HAProxy.
import fc from 'fast-check';
import { afterAll, expect, test } from 'vitest';
import type { Tree } from '../../lambdas/domain/tree.ts';
import { Unrenderable } from '../../lambdas/haproxy/config.ts';
import { renderConfiguration } from '../../lambdas/haproxy/render.ts';
import { aListener, aLoadBalancer, aMember, aMonitor, aPool, aTree, idOf } from '../support/builders.ts';
import { HaproxyDirectory } from '../support/haproxy.ts';
import { hostileText } from '../support/hostile-text.ts';

const directory = new HaproxyDirectory();
afterAll(() => directory[Symbol.dispose]());

const options = { amphora_id: idOf('other', 9), hardStopAfterMs: 60_000 };
const harmless = aTree({
  loadBalancer: aLoadBalancer(),
  listeners: [aListener({ default_pool_id: idOf('pool') })],
  pools: [aPool()],
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

const collections = ['listeners', 'pools', 'healthMonitors', 'members'] as const;

/** Every string of every row that decides no structure: without its pool a listener rightly has fewer lines. */
const structural = new Set(['default_pool_id', 'pool_id', 'load_balancer_id', 'provisioning_status', 'created_at']);
const stringsOf = (row: object) =>
  Object.entries(row).filter(([key, text]) => typeof text === 'string' && !structural.has(key));
const places = [
  ...stringsOf(harmless.loadBalancer).map(([key]) => ['loadBalancer', key] as const),
  ...collections.flatMap((collection) =>
    stringsOf(harmless[collection][0]!).map(([key]) => [collection, key] as const),
  ),
];

function withHostile([where, key]: (typeof places)[number], hostile: string): Tree {
  if (where === 'loadBalancer') return { ...harmless, loadBalancer: { ...harmless.loadBalancer, [key]: hostile } };
  const changed = { ...harmless, [where]: [{ ...harmless[where][0], [key]: hostile }] } as Tree;
  // What refers to the pool goes along, so that it stays in the tree under its hostile id.
  if (where !== 'pools' || key !== 'id') return changed;
  return {
    ...changed,
    listeners: [{ ...harmless.listeners[0]!, default_pool_id: hostile }],
    members: [{ ...harmless.members[0]!, pool_id: hostile }],
    healthMonitors: [{ ...harmless.healthMonitors[0]!, pool_id: hostile }],
  };
}

/** undefined when it is refused, as it may be. */
function rendered(tree: Tree): string | undefined {
  try {
    return renderConfiguration(tree, options).text;
  } catch (error) {
    if (error instanceof Unrenderable) return undefined;
    throw error;
  }
}

/** Several configurations as one that HAProxy checks at once: proxies side by side under names of their own. */
function together(texts: string[]): string {
  const [head] = texts[0]!.split('frontend ');
  const proxies = texts.map((text, index) =>
    text
      .slice(text.indexOf('frontend '))
      .replace(/^(frontend \S+)/, `$1.${index}`)
      .replace(/^(backend \S+)/m, `$1.${index}`)
      .replace(/^( {4}default_backend \S+)/m, `$1.${index}`),
  );
  return head + proxies.join('');
}

const countLines = (text: string) => text.split('\n').length;

test('hostile text in any string of a row is refused or stays one argument', async () => {
  const expected = countLines(renderConfiguration(harmless, options).text);
  let accepted = 0;
  const batch = fc.array(fc.tuple(fc.constantFrom(...places), hostileText), { minLength: 60, maxLength: 60 });
  await fc.assert(
    fc.asyncProperty(batch, async (attacks) => {
      const texts = attacks.flatMap(([place, hostile]) => rendered(withHostile(place, hostile)) ?? []);
      for (const text of texts) expect(countLines(text)).toBe(expected);
      for (const text of texts) expect(text.split('{{DIRECTORY}}')).toHaveLength(3);
      accepted += texts.length;
      if (texts.length === 0) return;
      const verdict = await directory.check(together(texts));
      expect(verdict.isValid, verdict.output).toBe(true);
    }),
    { numRuns: 25, endOnFailure: true },
  );
  // Had everything been refused, nothing would have been tried.
  expect(accepted).toBeGreaterThan(200);
}, 60_000);
