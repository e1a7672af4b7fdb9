// Every type of L7 rule with every comparison, inverted or not, against real requests: each rule decides alone on a listener of its
// own, and has to say what a reading of it in the test says.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ask } from '../support/asking.ts';
import { type L7Request, matches, type Rule } from '../support/l7-reference.ts';
import { LocalService } from '../support/local-service.ts';
import { asWeb, type WebLoadBalancer } from '../support/web-load-balancer.ts';

const comparisons = ['REGEX', 'STARTS_WITH', 'ENDS_WITH', 'CONTAINS', 'EQUAL_TO'];
const values: Record<string, Record<string, string>> = {
  HOST_NAME: {
    REGEX: '^(www|shop)\\.example\\.com$',
    STARTS_WITH: 'WWW.',
    ENDS_WITH: '.example.com',
    CONTAINS: 'Example',
    EQUAL_TO: 'www.example.com',
  },
  PATH: {
    REGEX: '^/v[0-9]+/users$',
    STARTS_WITH: '/v1',
    ENDS_WITH: '/users',
    CONTAINS: 'users',
    EQUAL_TO: '/v1/users',
  },
  FILE_TYPE: { REGEX: '\\.(jpe?g|PNG)$', EQUAL_TO: 'jpg' },
  HEADER: {
    REGEX: '^a+b?$',
    STARTS_WITH: 'aa',
    ENDS_WITH: 'ab',
    CONTAINS: '"a b"',
    EQUAL_TO: 'x,y',
  },
  COOKIE: { REGEX: '^[0-9a-f]{4}$', STARTS_WITH: 'be', ENDS_WITH: 'ef', CONTAINS: 'ee', EQUAL_TO: 'beef' },
};
const keys: Record<string, string> = { HEADER: 'X-Trial', COOKIE: 'session' };

const rules: Rule[] = Object.entries(values).flatMap(([type, byComparison]) =>
  comparisons
    .filter((compare_type) => byComparison[compare_type] !== undefined)
    .flatMap((compare_type) =>
      [false, true].map((invert) => ({
        type,
        compare_type,
        value: byComparison[compare_type]!,
        invert,
        ...(keys[type] ? { key: keys[type] } : {}),
      })),
    ),
);

const of = (path: string, headers: Record<string, string> = {}): L7Request => ({
  path,
  headers: { host: 'other.example', ...headers },
});
const requests: L7Request[] = [
  of('/'),
  ...['www.example.com', 'WWW.Example.COM', 'www.example.com:8080', 'shop.example.com:443'].map((host) =>
    of('/', { host }),
  ),
  ...['example.com', 'www.example.com.evil', 'xwww.example.com', '127.0.0.1:80'].map((host) => of('/', { host })),
  ...['/v1/users', '/v12/users', '/v1', '/V1/users', '/v1/users?x=/v9/users', '/v1/users/', '/users'].map((path) =>
    of(path),
  ),
  ...['/a.jpg', '/a.jpeg', '/a.PNG', '/a.png', '/a.jpg?b=c', '/a?b=c.jpg', '/jpg', '/a.JPG'].map((path) => of(path)),
  ...['aa', 'aab', 'b', 'a b', 'x,y', 'x, y', 'x', 'q,aab', 'xaab,z', 'A', ''].map((text) =>
    of('/', { 'x-trial': text }),
  ),
  ...[
    'session=beef',
    'a=b; session=beef; c=d',
    'session=dead',
    'Session=beef',
    'session=BEEF',
    'a=beef',
    'session=',
  ].map((cookie) => of('/', { cookie })),
  ...['session=beefbeef', 'session=xbeef; session=beef', 'xsession=beef'].map((cookie) => of('/', { cookie })),
];

const firstPort = 9001;
let service: LocalService;
let web: WebLoadBalancer;
beforeAll(async () => {
  service = await LocalService.start();
  const listeners = rules.map((rule, index) => ({
    protocol: 'HTTP',
    protocol_port: firstPort + index,
    l7policies: [
      { action: 'REDIRECT_TO_URL', redirect_url: 'http://matched.example/', redirect_http_code: 307, rules: [rule] },
    ],
  }));
  const { id } = await service.api.createLoadBalancer({ listeners });
  const active = await service.api.active(id);
  web = asWeb({ ...active, pools: [{ id: '' }] });
});
afterAll(() => service[Symbol.asyncDispose]());

const spelled = ({ type, compare_type, value, invert }: Rule): string =>
  `${type} ${invert ? 'not ' : ''}${compare_type} ${value}`;

test.for(rules.map((rule, index) => [spelled(rule), rule, firstPort + index] as const))(
  'the rule %s holds for the requests it says and no others',
  async ([, rule, port]) => {
    const expected = requests.map((request) => matches(rule, request));
    // A rule that holds for everything or nothing would show nothing.
    expect(new Set(expected).size).toBe(2);
    const answers = await Promise.all(requests.map((request) => ask({ address: web.vip, port, ...request })));
    const differing = requests.filter((_, index) => (answers[index]!.status === 307) !== expected[index]);
    expect(differing).toEqual([]);
    // Without a pool HAProxy has nobody to send the others to.
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([307, 503]));
  },
);
