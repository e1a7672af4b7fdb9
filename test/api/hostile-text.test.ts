// Hostile text in every attribute of every resource that reaches HAProxy, through the API: refused with a 400, or one argument of one
// directive, in the opinion of a tokenizer that knows nothing of our printer, and of `haproxy -c`.
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { materialise } from '../../amphora/agent/configuration.ts';
import { Unrenderable } from '../../lambdas/haproxy/config.ts';
import { HaproxyDirectory } from '../support/haproxy.ts';
import { wordsOf } from '../support/haproxy-tokens.ts';
import { HostileWorld, type Place } from '../support/hostile-world.ts';

const directory = new HaproxyDirectory();
afterAll(() => directory[Symbol.dispose]());

let world: HostileWorld;
let places: Place[];
let base: string[][];
beforeAll(async () => {
  world = await HostileWorld.build();
  places = world.places();
  base = wordsOf(asRead(await world.text()));
});

/** As HAProxy gets it from the agent. */
const asRead = (text: string) => materialise(text, null);

const fragments = [
  ...[
    '\n',
    '\r',
    '\0',
    '\t',
    ' ',
    '#',
    '\\',
    "'",
    '"',
    '$',
    '${HOME}',
    '"$HOME"',
    '%',
    '%%',
    '%[env(HOME)]',
    '%ci',
    ';',
  ],
  ...[
    '{',
    '}',
    '{{',
    '{{DIRECTORY}}',
    '\\\n',
    '\\x0a',
    '\\n',
    "'\\''",
    '(',
    ')',
    '),deny',
    '[',
    ']',
    '<<',
    '!',
    '|',
    ',',
  ],
  ...[
    '\n    server x 127.0.0.1:1',
    ' disabled',
    'global\n',
    'ü',
    '☃',
    '\u2028',
    '\ud800',
    '--',
    ' -f /etc/passwd',
    ' if TRUE',
  ],
];

interface Accepted {
  place: Place;
  text: string;
}

/** Sends it. What was accepted is compared, word for word, with what it replaced, and put back. */
async function attack(place: Place, hostile: string): Promise<Accepted | undefined> {
  const original = world.originalOf(place);
  const { status, fault } = await world.attack(place, hostile);
  if (status >= 300) {
    expect([400, 404, 409, 501], `${place.name} ${JSON.stringify(hostile)}: ${status} ${fault}`).toContain(status);
    return undefined;
  }
  const text = await rendered(place);
  if (place.name.startsWith('POST')) {
    if (text !== undefined) expectNoOtherDirectives(wordsOf(asRead(text)), hostile, place);
    world = await HostileWorld.build();
    base = wordsOf(asRead(await world.text()));
  } else {
    if (text !== undefined) expectOneArgument(wordsOf(asRead(text)), original, hostile, place);
    await world.restore(place);
  }
  return text === undefined ? undefined : { place, text };
}

/** undefined for what HAProxy cannot be told, which ends in ERROR alone. */
async function rendered(place: Place): Promise<string | undefined> {
  try {
    return await world.text();
  } catch (error) {
    if (!(error instanceof Unrenderable)) throw error;
    expect(error.resource_id, place.name).toMatch(/^[0-9a-f-]{36}$/);
    return undefined;
  }
}

/** Where HAProxy reads a format: a percent sign is written twice. */
const isFormat = ({ attribute }: Place) => ['redirect_url', 'redirect_prefix', 'domain_name'].includes(attribute);

/** Same directives, same number of words; a word that differs is the one it was, with the new text where the old one stood. */
function expectOneArgument(words: string[][], original: unknown, hostile: string, place: Place): void {
  expect(
    words.map(([directive]) => directive),
    place.name,
  ).toEqual(base.map(([directive]) => directive));
  words.forEach((line, index) => {
    expect(line.length, `${place.name}: ${JSON.stringify(hostile)}: ${JSON.stringify(line)}`).toBe(base[index]!.length);
    line.forEach((word, at) => {
      const before = base[index]![at]!;
      if (word === before) return;
      const text = isFormat(place) ? hostile.replaceAll('%', '%%') : hostile;
      const meant = before.replace(String(original), () => text);
      expect(word, `${place.name}: ${JSON.stringify(line)}`).toBe(meant);
    });
  });
}

/** Of something new: it adds directives, but none that is not in the text without it. */
function expectNoOtherDirectives(words: string[][], hostile: string, place: Place): void {
  const known = new Set([...base.map(([directive]) => directive), 'acl', 'http-request', 'server', 'frontend', 'bind']);
  for (const [directive] of words) expect(known, `${place.name}: ${JSON.stringify(hostile)}`).toContain(directive);
}

/** Regular expressions and lists of ciphers are judged by the libraries HAProxy is built with: what they refuse it puts down to the line. */
const isJudgedByHaproxy = ({ name }: Place) => /REGEX|tls_ciphers/.test(name);

/** Several configurations as one that HAProxy checks at once: proxies side by side under names of their own. */
function together(texts: string[]): string {
  const [head] = texts[0]!.split('frontend ');
  const proxies = texts.map((text, index) =>
    text
      .slice(text.indexOf('frontend '))
      .replaceAll(/^(frontend|backend|\s+default_backend|\s+use_backend) (\S+)/gm, `$1 $2.${index}`),
  );
  return head + proxies.join('');
}

async function expectGreen(accepted: Accepted[]): Promise<void> {
  const judged = accepted.filter(({ place }) => isJudgedByHaproxy(place));
  const texts = [...new Set(accepted.filter(({ place }) => !isJudgedByHaproxy(place)).map(({ text }) => text))];
  for (let start = 0; start < texts.length; start += 100) {
    const { isValid, output } = await directory.check(together(texts.slice(start, start + 100)));
    expect(isValid, output).toBe(true);
  }
  for (const text of new Set(judged.map((one) => one.text))) {
    const { isValid, lines, output } = await directory.check(text);
    if (isValid) continue;
    expect(output).toMatch(/regex|regular|cipher|parentheses|pattern/i);
    expect(new Set(lines).size, output).toBeLessThanOrEqual(1);
  }
}

const hostileFrom = (place: Place, fragment: string): string => {
  const original = world.originalOf(place);
  // What begins like a good value gets further than what is wrong from its first character.
  return typeof original === 'string' && original !== '' ? `${original}${fragment}z` : `a${fragment}z`;
};

test('every attribute of every resource is among those attacked', () => {
  const attacked = new Set(places.map(({ name }) => name.split(' ').slice(1, 3).join(' ')));
  for (const resource of ['loadbalancer', 'listener', 'pool', 'member', 'healthmonitor', 'l7policy', 'rule'])
    expect([...attacked].filter((name) => name.startsWith(`${resource} `)).length).toBeGreaterThan(6);
});

test('hostile text in any attribute is refused with a 400 or stays one argument', async () => {
  const accepted: Accepted[] = [];
  let refused = 0;
  const attacks = fc.array(
    fc.tuple(
      fc.nat({ max: places.length - 1 }),
      fc.array(fc.constantFrom(...fragments), { minLength: 1, maxLength: 4 }).map((parts) => parts.join('')),
    ),
    { minLength: 50, maxLength: 50 },
  );
  await fc.assert(
    fc.asyncProperty(attacks, async (batch) => {
      for (const [at, fragment] of batch) {
        const one = await attack(places[at]!, hostileFrom(places[at]!, fragment));
        if (one === undefined) refused++;
        else accepted.push(one);
      }
    }),
    { numRuns: 16, endOnFailure: true },
  );
  // Had everything been refused, or everything accepted, nothing would have been tried.
  expect(Math.min(accepted.length, refused)).toBeGreaterThan(50);
  await expectGreen(accepted);
  process.stdout.write(`  ${accepted.length} hostile texts accepted, ${refused} refused\n`);
}, 180_000);

test('each place that takes text takes each hostile fragment as one argument, or refuses it', async () => {
  const ofText = places.filter((place) =>
    /(?<!admin)_?(value|key|url|prefix|path|ciphers|persistence|domain_name|headers) /.test(`${place.name} `),
  );
  const accepted: Accepted[] = [];
  for (const place of ofText.filter(({ name }) => name.startsWith('PUT'))) {
    for (const fragment of fragments) {
      const one = await attack(place, hostileFrom(place, fragment));
      if (one !== undefined) accepted.push(one);
    }
  }
  expect(accepted.length).toBeGreaterThan(150);
  await expectGreen(accepted);
  process.stdout.write(`  ${accepted.length} hostile texts accepted in ${ofText.length} places\n`);
}, 180_000);

test('text of 64 KB is refused wherever it is sent', async () => {
  const long = 'x'.repeat(65_536);
  for (const place of places) {
    const { status, fault } = await world.attack(place, long);
    expect([place.name, status, fault.length < 2_000]).toEqual([place.name, 400, true]);
  }
}, 60_000);
