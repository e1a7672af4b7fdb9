// L7 policies and rules as HAProxy's configuration.
import { describe, expect, test } from 'vitest';
import { renderConfiguration } from '../../lambdas/haproxy/render.ts';
import { aL7Policy, aL7Rule, aListener, aMember, aPool, aTree, idOf } from '../support/builders.ts';
import { HaproxyDirectory } from '../support/haproxy.ts';

const options = { amphora_id: idOf('other', 9), hardStopAfterMs: 1_000 };
const pool = aPool();
const other = aPool({ id: idOf('pool', 2) });
const listener = aListener({ protocol: 'HTTP', default_pool_id: pool.id });

describe('L7 policies', () => {
  test('every rule type and comparison passes haproxy -c', async () => {
    const rules = [
      aL7Rule({ id: idOf('other', 11), type: 'HOST_NAME', compare_type: 'EQUAL_TO', value: 'www.example.com' }),
      aL7Rule({ id: idOf('other', 12), type: 'PATH', compare_type: 'STARTS_WITH', value: '-i' }),
      aL7Rule({ id: idOf('other', 13), type: 'PATH', compare_type: 'REGEX', value: '^/a(b|c)\\d+$' }),
      aL7Rule({ id: idOf('other', 14), type: 'FILE_TYPE', compare_type: 'EQUAL_TO', value: 'jpg' }),
      aL7Rule({ id: idOf('other', 15), type: 'FILE_TYPE', compare_type: 'REGEX', value: 'jpe?g' }),
      aL7Rule({
        id: idOf('other', 16),
        type: 'HEADER',
        compare_type: 'CONTAINS',
        key: 'X-Some-Header',
        value: 'it\'s "quoted" #1',
      }),
      aL7Rule({
        id: idOf('other', 17),
        type: 'COOKIE',
        compare_type: 'ENDS_WITH',
        key: 'session',
        value: 'abc',
        invert: true,
      }),
      aL7Rule({
        id: idOf('other', 18),
        type: 'HEADER',
        compare_type: 'EQUAL_TO',
        key: 'x',
        value: 'y',
        admin_state_up: false,
      }),
    ];
    const policy = aL7Policy({ action: 'REJECT', rule_ids: rules.map(({ id }) => id) });
    const tree = aTree({
      listeners: [listener],
      pools: [pool],
      members: [aMember()],
      l7Policies: [policy],
      l7Rules: rules,
    });
    const { text } = renderConfiguration(tree, options);
    expect(text).toContain(`!${idOf('other', 17)}`);
    expect(text).not.toContain(idOf('other', 18));
    await expect(text).toMatchFileSnapshot('../golden/haproxy/l7-rules.cfg');
    using directory = new HaproxyDirectory();
    expect(await directory.check(text)).toMatchObject({ isValid: true });
  });

  test('the first policy by position wins, whatever the actions are', async () => {
    const policies = [
      aL7Policy({
        id: idOf('other', 21),
        position: 1,
        action: 'REDIRECT_TO_POOL',
        redirect_pool_id: other.id,
        rule_ids: ['r'],
      }),
      aL7Policy({ id: idOf('other', 22), position: 2, action: 'REJECT', rule_ids: ['r'] }),
      aL7Policy({
        id: idOf('other', 23),
        position: 3,
        action: 'REDIRECT_TO_URL',
        redirect_url: 'http://e.example/?a=%20b',
        redirect_http_code: 308,
        rule_ids: ['r'],
      }),
      aL7Policy({
        id: idOf('other', 24),
        position: 4,
        action: 'REDIRECT_PREFIX',
        redirect_prefix: 'https://e.example',
        redirect_http_code: 302,
        rule_ids: ['r'],
      }),
      aL7Policy({ id: idOf('other', 25), position: 5, action: 'REJECT', admin_state_up: false, rule_ids: ['r'] }),
    ];
    const rules = policies.map((policy, index) =>
      aL7Rule({ id: idOf('other', 30 + index), l7policy_id: policy.id, value: `/${index}` }),
    );
    const tree = aTree({
      listeners: [listener],
      pools: [pool, other],
      members: [aMember()],
      l7Policies: policies,
      l7Rules: rules,
    });
    const { text, origins } = renderConfiguration(tree, options);
    const lines = text.split('\n');
    expect(origins[lines.findIndex((line) => line.includes('http-request deny'))]).toBe(idOf('other', 22));
    expect(text).not.toContain(idOf('other', 25));
    await expect(text).toMatchFileSnapshot('../golden/haproxy/l7-actions.cfg');
    using directory = new HaproxyDirectory();
    expect(await directory.check(text)).toMatchObject({ isValid: true });
  });
});
