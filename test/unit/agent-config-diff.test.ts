// Which changes of a configuration the agent does without a reload, and what it hands over when it has to reload.
import { describe, expect, test } from 'vitest';
import { compare, outline } from '../../amphora/agent/config-diff.ts';
import { materialise } from '../../amphora/agent/configuration.ts';
import { readComplaint, toRejection } from '../../amphora/agent/haproxy-log.ts';
import { serversStateFor } from '../../amphora/agent/servers-state.ts';
import { readBinds } from '../../amphora/agent/validation.ts';

const textOf = (servers: string[], { defaults = '', frontend = '' } = {}) =>
  `global\n  maxconn 50000\ndefaults\n  mode http\nfrontend l1\n  bind 127.0.0.1:80\n${frontend}
backend p1:l1\n  balance roundrobin\n${defaults}\n${servers.map((line) => `  server ${line}`).join('\n')}\n`;

const difference = (from: string[], to: string[], extra = {}) =>
  compare(outline(textOf(from)), outline(textOf(to, extra)));

const kinds = (from: string[], to: string[]) => {
  const found = difference(from, to);
  return found.kind === 'members' ? found.changes.map(({ kind, member }) => `${kind} ${member.name}`) : found.kind;
};

describe('difference of two configurations', () => {
  test('is none for the same text, another order of members, and comments', () => {
    const [a, b] = ['m1 10.0.0.1:80 weight 1 check', 'm2 10.0.0.2:80 weight 1 check'];
    expect(kinds([a, b], [a, b])).toBe('none');
    expect(kinds([a, b], [b, a])).toBe('none');
    expect(difference([a], [a], { frontend: '  # generation 2' }).kind).toBe('none');
  });

  test('names added, removed and changed members', () => {
    expect(kinds(['m1 10.0.0.1:80'], ['m1 10.0.0.1:80', 'm2 10.0.0.2:80 check'])).toEqual(['add m2']);
    expect(kinds(['m1 10.0.0.1:80', 'm2 10.0.0.2:80'], ['m2 10.0.0.2:80'])).toEqual(['remove m1']);
    expect(kinds(['m1 10.0.0.1:80 weight 1'], ['m1 10.0.0.1:80 weight 9 disabled'])).toEqual(['set m1']);
    expect(kinds(['m1 10.0.0.1:80'], ['m1 10.0.0.1:80 weight 1'])).toBe('none');
  });

  test('adds members without a reload where HAProxy makes up their cookies, and says that it has to', () => {
    const extra = { defaults: '  cookie SRV insert indirect nocache dynamic\n  dynamic-cookie-key k' };
    const from = outline(textOf(['m1 10.0.0.1:80'], extra));
    const found = compare(from, outline(textOf(['m1 10.0.0.1:80', 'm2 10.0.0.2:80'], extra)));
    expect(found).toMatchObject({ kind: 'members', changes: [{ kind: 'add', hasCookie: true }] });
    expect(difference([], ['m1 10.0.0.1:80'])).toMatchObject({ changes: [{ kind: 'add', hasCookie: false }] });
  });

  test.each([
    ['another address of a member', ['m1 10.0.0.1:80'], ['m1 10.0.0.9:80'], {}],
    ['other checks of a member', ['m1 10.0.0.1:80 check inter 1s'], ['m1 10.0.0.1:80 check inter 2s'], {}],
    [
      'a new member with a cookie',
      ['m1 10.0.0.1:80 cookie m1'],
      ['m1 10.0.0.1:80 cookie m1', 'm2 10.0.0.2:80 cookie m2'],
      {},
    ],
    ['a member that became a backup', ['m1 10.0.0.1:80'], ['m1 10.0.0.1:80 backup'], {}],
    ['a line of a frontend', ['m1 10.0.0.1:80'], ['m1 10.0.0.1:80'], { frontend: '  maxconn 5' }],
    ['a member with quoted parameters', [], ['m1 10.0.0.1:80 sni "str(a b)"'], {}],
  ])('asks for a reload: %s', (_what, from, to, extra) => {
    expect(difference(from, to, extra).kind).toBe('other');
  });

  test('asks for a reload where an added member would not get the defaults of its backend', () => {
    const extra = { defaults: '  default-server inter 5s' };
    const from = outline(textOf(['m1 10.0.0.1:80'], extra));
    expect(compare(from, outline(textOf(['m1 10.0.0.1:80', 'm2 10.0.0.2:80'], extra))).kind).toBe('other');
    expect(compare(from, outline(textOf(['m1 10.0.0.1:80 weight 2'], extra))).kind).toBe('members');
  });
});

test('the state handed over at a reload never overrules the new text', () => {
  const heading = '# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight srv_iweight';
  const row = (name: string, admin: number, weight: number) => `3 p1:l1 1 ${name} 10.0.0.1 0 ${admin} ${weight} 1`;
  const state = ['1', heading, row('same', 0, 5), row('changed', 1, 0), row('gone', 0, 1), ''].join('\n');
  const from = outline(textOf(['same a:1 weight 5', 'changed b:1 disabled', 'gone c:1']));
  const to = outline(textOf(['same a:1 weight 5', 'changed b:1']));
  expect(serversStateFor(state, from, to)).toBe(`1\n${heading}\n3 p1:l1 1 same 10.0.0.1 0 0 5 5\n`);
});

test('the text HAProxy reads has its directory, and a maxconn under the ceiling, on the same lines', () => {
  const text = 'global\n  stats socket {{DIRECTORY}}/s\n  maxconn 9000\nfrontend f\n  maxconn 8000\n';
  expect(materialise(text, 100)).toBe(text.replace('{{DIRECTORY}}', '/proc/self/cwd').replace('9000', '100'));
  expect(materialise(text, 10_000)).toContain('maxconn 9000');
  expect(materialise('global\nfrontend f\n  maxconn 8000\n', 100)).toContain('maxconn 8000');
});

test('binds are read with their lines; sockets and port ranges are left to HAProxy', () => {
  const text =
    'frontend f\n  bind 10.0.0.1:80 ssl\n  bind [::1]:443\n  bind :8080\n  bind unix@/x\n  bind 10.0.0.1:1-9\n';
  expect(readBinds(text)).toEqual([
    { line: 2, address: '10.0.0.1', port: 80 },
    { line: 3, address: '::1', port: 443 },
    { line: 4, address: '0.0.0.0', port: 8080 },
  ]);
});

test('alerts of HAProxy become the lines at fault; warnings do not', () => {
  const output = `[NOTICE]   (1) : haproxy version is 2.6.12
[WARNING]  (1) : config : parsing [haproxy.cfg.new:3] : something minor
[ALERT]    (1) : config : parsing [haproxy.cfg.new:15] : unknown keyword 'balanc' in 'backend' section
[ALERT]    (1) : config : [haproxy.cfg.new:17] : 'server p/m' : unknown keyword 'chek'
[ALERT]    (1) : config : Fatal errors found in configuration.\n`;
  expect(toRejection(readComplaint(output))).toMatchObject({
    error: 'invalid',
    message: "unknown keyword 'balanc' in 'backend' section",
    lines: [{ line: 15 }, { line: 17, message: "'server p/m' : unknown keyword 'chek'" }],
  });
  const bind = '[ALERT]    (1) : Binding [haproxy.cfg:12] for frontend f: cannot bind socket (Address already in use)';
  expect(toRejection(readComplaint(bind))).toMatchObject({ error: 'address_in_use', lines: [{ line: 12 }] });
});
