// Whatever the API accepts of the attributes beyond Octavia, HAProxy takes: no listener ends in ERROR for a text that was let in.
import fc from 'fast-check';
import { afterAll, expect, test } from 'vitest';
import { errorStatuses } from '../../lambdas/domain/error-pages.ts';
import { ApiError } from '../../lambdas/domain/errors.ts';
import { headerVariables } from '../../lambdas/domain/header-changes.ts';
import { listener } from '../../lambdas/domain/listener.ts';
import { settledListenerUpdate } from '../../lambdas/domain/listener-rules.ts';
import { parseUpdate } from '../../lambdas/domain/resource.ts';
import { renderConfiguration } from '../../lambdas/haproxy/render.ts';
import { defaultConfig } from '../../lambdas/runtime/config.ts';
import { aListener, aTree, idOf } from '../support/builders.ts';
import { HaproxyDirectory } from '../support/haproxy.ts';

const directory = new HaproxyDirectory();
afterAll(() => directory[Symbol.dispose]());

/** Words that mean something where a header's name is read. */
const word = fc.constantFrom(
  'if',
  'unless',
  'or',
  'hdr',
  'm',
  'string',
  'table',
  'X-A',
  'x.y_z',
  '0',
  'Host',
  'set-header',
);
const name = fc.oneof(word, fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._-]{0,20}$/));
const piece = fc.oneof(
  fc.constantFrom(
    ...headerVariables.map((one) => `\${${one}}`),
    '%',
    '%%',
    '%[',
    ']',
    '%[src]',
    '$',
    '{{',
    '{',
    '\\',
    "'",
    '"',
    ' ',
    '#',
    ' if ',
    '%ci',
  ),
  fc.stringMatching(/^[ -~]{0,8}$/),
);
const text = fc.array(piece, { minLength: 1, maxLength: 6 }).map((parts) => parts.join('').trim());
const values = fc.dictionary(name, text, { maxKeys: 4 });
const headers = fc.record({ set: values, add: values, remove: fc.array(name, { maxLength: 4 }) }, { requiredKeys: [] });
const mediaType = fc.stringMatching(/^[\w.+-]{1,12}\/[\w.+-]{1,12}$/);
const page = fc.record(
  {
    body: fc.oneof(
      fc.string({ unit: 'grapheme', minLength: 1, maxLength: 60 }),
      fc.array(piece).map((all) => all.join('\n')),
    ),
    content_type: fc.oneof(
      mediaType,
      mediaType.map((type) => `${type}; charset=utf-8`),
    ),
  },
  { requiredKeys: ['body'] },
);
const period = fc.oneof(fc.integer({ min: 1, max: 86_400 }), fc.constantFrom(1, 86_400));
const count = fc.oneof(fc.integer({ min: 1, max: 1_000_000 }), fc.constantFrom(1, 2, 1_000_000));
const timeout = fc.integer({ min: 1, max: 2_073_600_000 });
const given = fc.record(
  {
    rate_limit: fc.oneof(
      fc.record({ requests: count, period }),
      fc.record({ requests: count, period, type: fc.constant('HEADER'), key: name }),
    ),
    connection_rate_limit: fc.record({ connections: count, period }),
    compression: fc.record({ content_types: fc.array(mediaType, { maxLength: 32 }) }, { requiredKeys: [] }),
    request_headers: headers,
    response_headers: headers,
    error_pages: fc.dictionary(fc.constantFrom(...errorStatuses), page),
    http2: fc.boolean(),
    timeout_tunnel: timeout,
    timeout_client_keep_alive: timeout,
    timeout_client_request: timeout,
    denied_cidrs: fc.array(fc.oneof(fc.ipV4(), fc.ipV6()), { maxLength: 40 }),
  },
  { requiredKeys: [] },
);

test('what the API accepts of a listener is a configuration that HAProxy takes without a warning', async () => {
  const row = aListener();
  const options = { amphora_id: idOf('other', 9), hardStopAfterMs: 60_000 };
  let [accepted, refused] = [0, 0];
  const rendered = (one: object): string | undefined => {
    try {
      const set = settledListenerUpdate(row, parseUpdate(listener, one), defaultConfig);
      return renderConfiguration(aTree({ listeners: [{ ...row, ...set }] }), options).text;
    } catch (error) {
      if (error instanceof ApiError && error.status === 400) return undefined;
      throw error;
    }
  };
  await fc.assert(
    fc.asyncProperty(given, async (one) => {
      const text = rendered(one);
      if (text === undefined) {
        refused += 1;
        return;
      }
      accepted += 1;
      const { isValid, output } = await directory.check(text);
      expect(isValid && !output.includes('WARNING'), output).toBe(true);
    }),
    { numRuns: 150, endOnFailure: true },
  );
  // Were either of them none, nothing would have been tried.
  expect(accepted).toBeGreaterThan(20);
  expect(refused).toBeGreaterThan(0);
}, 120_000);
