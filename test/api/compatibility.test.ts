// What fits together: every row of Octavia's compatibility matrices of protocols, health monitors, ports, session persistence, headers.
import { beforeAll, describe, expect, it } from 'vitest';
import { type Attributes, DirectApi, failure, fault, nowhere, project, type Shown } from '../support/direct-api.ts';
import { containerRef, keepCertificate, makeUserAuthority } from '../support/user-certificates.ts';

let api: DirectApi;
let lb: Shown;
let nextPort = 1;
beforeAll(async () => {
  api = await DirectApi.start();
  lb = await api.loadBalancer();
  await keepCertificate(api.services.certificates, 1, project, await makeUserAuthority('www.example.com'));
});

const listenerProtocols = ['TCP', 'HTTP', 'HTTPS', 'TERMINATED_HTTPS', 'UDP', 'SCTP', 'PROMETHEUS'];
const poolProtocols = ['TCP', 'HTTP', 'HTTPS', 'PROXY', 'PROXYV2', 'UDP', 'SCTP'];
/** A TERMINATED_HTTPS listener has to have a certificate. */
const ofProtocol = (protocol: string): Attributes => ({
  protocol,
  ...(protocol === 'TERMINATED_HTTPS' ? { default_tls_container_ref: containerRef(1) } : {}),
});
const postListener = (given: Attributes, of: Shown = lb) =>
  api.post('listeners', { listener: { loadbalancer_id: of['id'], protocol_port: nextPort++, ...given } });
const postPool = (given: Attributes) =>
  api.post('pools', { pool: { loadbalancer_id: lb['id'], lb_algorithm: 'ROUND_ROBIN', ...given } });
const pairs = (ones: string[], others: string[]) => ones.flatMap((one) => others.map((other) => [one, other] as const));

const childless = fault(400, 'Protocol PROMETHEUS listeners cannot have child objects.');

describe('listener and pool', () => {
  const allowed: Record<string, string[]> = {
    TCP: ['HTTP', 'HTTPS', 'PROXY', 'PROXYV2', 'TCP'],
    HTTP: ['HTTP', 'PROXY', 'PROXYV2'],
    HTTPS: ['HTTPS', 'PROXY', 'PROXYV2', 'TCP'],
    TERMINATED_HTTPS: ['HTTP', 'PROXY', 'PROXYV2'],
    UDP: ['UDP'],
    SCTP: ['SCTP'],
    PROMETHEUS: [],
  };

  it.each(pairs(listenerProtocols, poolProtocols))('%s to %s, however they are brought together', async (of, to) => {
    const pool = await api.done(postPool({ protocol: to }));
    const listener = await api.done(postListener(ofProtocol(of)));
    const answers = [
      await postListener({ ...ofProtocol(of), default_pool_id: pool['id'] }),
      await api.put(`listeners/${listener['id']}`, { listener: { default_pool_id: pool['id'] } }),
      await postPool({ protocol: to, listener_id: (await api.done(postListener(ofProtocol(of))))['id'] }),
      await postPool({
        protocol: to,
        listener_id: (await api.done(postListener(ofProtocol(of))))['id'],
        loadbalancer_id: null,
      }),
    ];
    const mismatch = failure(`The pool protocol '${to}' is invalid while the listener protocol is '${of}'.`);
    for (const answer of answers) {
      if (allowed[of]!.includes(to)) expect(answer.status).toBeLessThan(300);
      else expect(answer).toMatchObject(of === 'PROMETHEUS' ? childless : mismatch);
    }
  });
});

describe('L7 policies', () => {
  it.each(listenerProtocols)('of a %s listener', async (protocol) => {
    const { id } = await api.done(postListener(ofProtocol(protocol)));
    const answer = await api.post('l7policies', { l7policy: { listener_id: id, action: 'REJECT' } });
    if (protocol === 'HTTP' || protocol === 'TERMINATED_HTTPS') expect(answer.status).toBe(201);
    else if (protocol === 'PROMETHEUS') expect(answer).toMatchObject(childless);
    else {
      const reason = `${protocol} protocol listeners do not support L7 policies`;
      expect(answer).toMatchObject(fault(501, `Provider 'amphora' does not support a requested option: ${reason}`));
    }
  });
});

describe('ports', () => {
  const classOf = (protocol: string) => (protocol === 'UDP' || protocol === 'SCTP' ? protocol : 'TCP');

  it.each(pairs(listenerProtocols, listenerProtocols))('%s and then %s on the same port', async (first, second) => {
    const protocol_port = nextPort++;
    await api.done(postListener({ ...ofProtocol(first), protocol_port }));
    const answer = await postListener({ ...ofProtocol(second), protocol_port });
    if (classOf(first) !== classOf(second)) expect(answer.status).toBe(201);
    else {
      const reason = `already using protocol ${first} and protocol_port ${protocol_port}`;
      expect(answer).toMatchObject(fault(409, `Another Listener on this Load Balancer is ${reason}`));
    }
  });

  it('of another load balancer do not matter', async () => {
    const protocol_port = nextPort++;
    await api.done(postListener({ protocol: 'TCP', protocol_port }));
    expect((await postListener({ protocol: 'TCP', protocol_port }, await api.loadBalancer())).status).toBe(201);
  });
});

describe('pool and health monitor', () => {
  const types = ['HTTP', 'HTTPS', 'PING', 'TCP', 'TLS-HELLO', 'UDP-CONNECT', 'SCTP'];
  const monitor = async (protocol: string, given: Attributes) => {
    const { id } = await api.done(postPool({ protocol }));
    const healthmonitor = { pool_id: id, delay: 3, timeout: 1, max_retries: 1, ...given };
    return api.post('healthmonitors', { healthmonitor });
  };

  it.each(pairs(poolProtocols, types))('%s with %s', async (protocol, type) => {
    const isOfDatagrams = protocol === 'UDP' || protocol === 'SCTP';
    const answer = await monitor(protocol, { type });
    const allowed = isOfDatagrams ? ['UDP-CONNECT', 'SCTP', 'TCP', 'HTTP'] : types.slice(0, 5);
    if (allowed.includes(type)) {
      expect(answer.status).toBe(201);
      const ofHttp = type === 'HTTP' || type === 'HTTPS';
      expect(answer.body.healthmonitor).toMatchObject({
        type,
        http_method: ofHttp ? 'GET' : null,
        url_path: ofHttp ? '/' : null,
        expected_codes: ofHttp ? '200' : null,
      });
    } else if (isOfDatagrams) {
      const reason = `The associated pool protocol is ${protocol}, so only a UDP-CONNECT/SCTP/TCP/HTTP health monitor is supported.`;
      expect(answer).toMatchObject(failure(reason));
    } else expect(answer).toMatchObject(failure(`The ${type} type is only supported for pools of type UDP/SCTP.`));
  });

  it('UDP-CONNECT wants a delay of three seconds, on create and on update', async () => {
    const tooSoon = failure('The request delay value 2 should be larger than 3 for UDP-CONNECT health monitor type.');
    expect(await monitor('UDP', { type: 'UDP-CONNECT', delay: 2 })).toMatchObject(tooSoon);
    const { id } = await api.done(monitor('UDP', { type: 'UDP-CONNECT' }));
    const put = (healthmonitor: Attributes) => api.put(`healthmonitors/${id}`, { healthmonitor });
    expect(await put({ delay: 2 })).toMatchObject(tooSoon);
    expect((await put({ timeout: 2 })).status).toBe(200);
    expect((await monitor('SCTP', { type: 'SCTP', delay: 0 })).status).toBe(201);
  });

  it.each(['http_method', 'url_path', 'expected_codes'])('%s is for HTTP and HTTPS alone', async (name) => {
    const value = { http_method: 'GET', url_path: '/', expected_codes: '200' }[name];
    const reason = fault(400, `${name} is not a valid option for health monitors of type TCP`);
    expect(await monitor('TCP', { type: 'TCP', [name]: value })).toMatchObject(reason);
    const { id } = await api.done(monitor('TCP', { type: 'TCP' }));
    for (const given of [value, null]) {
      expect(await api.put(`healthmonitors/${id}`, { healthmonitor: { [name]: given } })).toMatchObject(reason);
    }
  });

  it('domain_name wants HTTP 1.1', async () => {
    const domain_name = 'www.example.com';
    const unsaid = failure("'http_version' must be specified when 'domain_name' is provided.");
    const tooOld = fault(
      400,
      'http_version 1.0 is not a valid option for health monitors HTTP 1.1 domain name health check',
    );
    expect(await monitor('HTTP', { type: 'HTTP', domain_name })).toMatchObject(unsaid);
    expect(await monitor('HTTP', { type: 'HTTP', domain_name, http_version: 1 })).toMatchObject(tooOld);
    const made = await api.done(monitor('HTTP', { type: 'HTTP', domain_name, http_version: '1.1' }));
    const put = (healthmonitor: Attributes) => api.put(`healthmonitors/${made['id']}`, { healthmonitor });
    expect(await put({ http_version: 1.0 })).toMatchObject(tooOld);
    expect((await api.done(put({ domain_name: null, http_version: 1.0 })))['http_version']).toBe(1);
    expect(await put({ domain_name })).toMatchObject(tooOld);
  });

  it('PING may be forbidden', async () => {
    const strict = await DirectApi.start({ allow_ping_health_monitors: false });
    const pool = await strict.pool({ loadbalancer_id: (await strict.loadBalancer())['id'] });
    const healthmonitor = { pool_id: pool['id'], type: 'PING', delay: 1, timeout: 1, max_retries: 1 };
    const forbidden = fault(400, 'The selected type is not allowed in this deployment: PING');
    expect(await strict.post('healthmonitors', { healthmonitor })).toMatchObject(forbidden);
  });
});

describe('session persistence', () => {
  const stream = ['HTTP', 'HTTPS', 'TCP', 'PROXY', 'PROXYV2'];
  const datagram = ['UDP', 'SCTP'];
  const onlyDatagrams = 'persistence_timeout and persistence_granularity is only for UDP and SCTP protocol pools.';
  const onlyApp = 'Field "cookie_name" can only be specified with session persistence of type "APP_COOKIE".';
  const notOfDatagrams = (type: string) =>
    `Session persistence of type ${type} is not supported for UDP/SCTP protocol pools.`;
  type Case = [protocols: string[], persistence: Attributes, reason: string | null];
  const cases: Case[] = [
    [stream, { type: 'SOURCE_IP' }, null],
    [stream, { type: 'HTTP_COOKIE' }, null],
    [stream, { type: 'APP_COOKIE', cookie_name: 'a' }, null],
    [stream, { type: 'SOURCE_IP', persistence_timeout: 0 }, null],
    [stream, { type: 'SOURCE_IP', cookie_name: 'a' }, onlyApp],
    [stream, { type: 'HTTP_COOKIE', cookie_name: 'a' }, onlyApp],
    [
      stream,
      { type: 'APP_COOKIE' },
      'Field "cookie_name" must be specified when using the "APP_COOKIE" session persistence type.',
    ],
    [stream, { type: 'APP_COOKIE', cookie_name: 'a=b' }, 'Supplied "cookie_name" is invalid.'],
    [stream, { type: 'APP_COOKIE', cookie_name: 'a"b' }, 'Supplied "cookie_name" is invalid.'],
    [stream, { type: 'SOURCE_IP', persistence_timeout: 5 }, onlyDatagrams],
    [stream, { type: 'SOURCE_IP', persistence_granularity: '255.255.0.0' }, onlyDatagrams],
    [datagram, { type: 'SOURCE_IP' }, null],
    [datagram, { type: 'SOURCE_IP', persistence_timeout: 5, persistence_granularity: '255.255.0.0' }, null],
    [datagram, { type: 'HTTP_COOKIE' }, notOfDatagrams('HTTP_COOKIE')],
    [datagram, { type: 'APP_COOKIE', cookie_name: 'a' }, 'Cookie names are not supported for UDP/SCTP pools.'],
    [
      datagram,
      { type: 'SOURCE_IP', cookie_name: 'a' },
      'session_persistence SOURCE_IP type for UDP and SCTP protocols only accepts: type, persistence_timeout, persistence_granularity.',
    ],
  ];
  const rows = cases.flatMap(([protocols, given, reason]) => protocols.map((one) => [one, given, reason] as const));

  it.each(rows)('of a %s pool: %j', async (protocol, session_persistence, reason) => {
    const { id } = await api.done(postPool({ protocol }));
    for (const answer of [
      await postPool({ protocol, session_persistence }),
      await api.put(`pools/${id}`, { pool: { session_persistence } }),
    ]) {
      if (reason !== null) expect(answer).toMatchObject(failure(reason));
      else expect(answer.body.pool?.session_persistence).toMatchObject(session_persistence);
    }
  });

  it.each([
    [{}, "Invalid input for field/attribute type. Value: 'None'. Mandatory field missing."],
    [
      { type: 'COOKIE' },
      "Invalid input for field/attribute type. Value: 'COOKIE'. Value should be one of: SOURCE_IP, HTTP_COOKIE, APP_COOKIE",
    ],
    [
      { type: 'APP_COOKIE', cookie_name: 'a b' },
      "Invalid input for field/attribute cookie_name. Value: 'a b'. Value should match the pattern ^[^\\s,;\\\\]+$",
    ],
    [
      { type: 'SOURCE_IP', persistence_granularity: 24 },
      "Invalid input for field/attribute persistence_granularity. Value: '24'. Value should be IPv4 or IPv6 format",
    ],
    [{ type: 'SOURCE_IP', colour: 1 }, 'Unknown attribute for argument pool_.pool.session_persistence: colour'],
  ])('%j is refused as it stands', async (session_persistence, reason) => {
    expect(await postPool({ protocol: 'HTTP', session_persistence })).toMatchObject(fault(400, reason));
  });

  it('is changed by type or by the rest of it, and taken away by null or nothing', async () => {
    const none = { cookie_name: null, persistence_timeout: null, persistence_granularity: null };
    const { id } = await api.done(
      postPool({ protocol: 'HTTP', session_persistence: { type: 'APP_COOKIE', cookie_name: 'a' } }),
    );
    const put = async (session_persistence: unknown) => {
      const answer = await api.put(`pools/${id}`, { pool: { session_persistence } });
      return answer.status === 200 ? answer.body.pool.session_persistence : answer;
    };
    expect(await put({ cookie_name: 'b' })).toEqual({ ...none, type: 'APP_COOKIE', cookie_name: 'b' });
    expect(await put({ type: null, cookie_name: 'c' })).toMatchObject({ type: 'APP_COOKIE', cookie_name: 'c' });
    expect(await put({ type: 'HTTP_COOKIE' })).toEqual({ ...none, type: 'HTTP_COOKIE' });
    expect((await api.done(api.get(`pools/${id}`)))['session_persistence']).toEqual({ ...none, type: 'HTTP_COOKIE' });
    expect(await put({})).toBeNull();
    expect(await put({ cookie_name: 'd' })).toMatchObject(failure('Invalid session_persistence provided.'));
    expect(await put({ type: 'SOURCE_IP' })).toMatchObject({ type: 'SOURCE_IP' });
    expect(await put(null)).toBeNull();
  });
});

describe('insert_headers', () => {
  const ofHttp = [
    'X-Forwarded-For',
    'X-Forwarded-Port',
    'X-Forwarded-Proto',
    'X-Forwarded-IP',
    'X-Client-IP',
    'X-Real-IP',
  ];
  const ofTls = [
    'X-SSL-Client-Verify',
    'X-SSL-Client-Has-Cert',
    'X-SSL-Client-DN',
    'X-SSL-Client-CN',
    'X-SSL-Issuer',
    'X-SSL-Client-SHA1',
    'X-SSL-Client-Not-Before',
    'X-SSL-Client-Not-After',
  ];

  it.each(pairs(listenerProtocols, [...ofHttp, ...ofTls, 'X-Other']))('%s with %s', async (protocol, header) => {
    const insert_headers = { [header]: 'True' };
    const { id } = await api.done(postListener(ofProtocol(protocol)));
    const answers = [
      await postListener({ ...ofProtocol(protocol), insert_headers }),
      await api.put(`listeners/${id}`, { listener: { insert_headers } }),
    ];
    for (const answer of answers) {
      if (protocol !== 'HTTP' && protocol !== 'TERMINATED_HTTPS') {
        const reason = `insert-headers is not a valid option for a ${protocol} protocol listener.`;
        expect(answer).toMatchObject(fault(400, reason));
      } else if (header === 'X-Other') {
        expect(answer).toMatchObject(fault(400, "['X-Other'] is not a valid option for insert_headers"));
      } else if (protocol === 'HTTP' && ofTls.includes(header)) {
        expect(answer).toMatchObject(fault(400, `['${header}'] is not a valid option for HTTP protocol listener.`));
      } else expect(answer.body.listener?.insert_headers).toEqual(insert_headers);
    }
  });

  it('may be empty on any protocol', async () => {
    for (const protocol of listenerProtocols) {
      expect((await postListener({ ...ofProtocol(protocol), insert_headers: {} })).status).toBe(201);
    }
  });
});

describe('algorithms', () => {
  it('SOURCE_IP_PORT is not there for amphorae', async () => {
    const reason = 'Amphora provider does not support SOURCE_IP_PORT algorithm.';
    const refused = fault(501, `Provider 'amphora' does not support a requested option: ${reason}`);
    expect(await postPool({ protocol: 'TCP', lb_algorithm: 'SOURCE_IP_PORT' })).toMatchObject(refused);
    const { id } = await api.done(postPool({ protocol: 'TCP' }));
    expect(await api.put(`pools/${id}`, { pool: { lb_algorithm: 'SOURCE_IP_PORT' } })).toMatchObject(refused);
  });
});

describe('members', () => {
  const postMember = (pool: Shown, given: Attributes) =>
    api.post(`pools/${pool['id']}/members`, { member: { address: '192.0.2.1', protocol_port: nextPort++, ...given } });

  it('may be in a subnet that is there', async () => {
    const pool = await api.done(postPool({ protocol: 'HTTP' }));
    const subnet_id = api.subnet('stranger');
    expect((await api.done(postMember(pool, { subnet_id })))['subnet_id']).toBe(subnet_id);
    expect(await postMember(pool, { subnet_id: nowhere })).toMatchObject(fault(400, `Subnet ${nowhere} not found.`));
  });

  it('get SR-IOV ports only where the flavor says so', async () => {
    const pool = await api.done(postPool({ protocol: 'HTTP' }));
    const refused = fault(400, 'The load balancer flavor does not allow SR-IOV member ports.');
    expect(await postMember(pool, { request_sriov: true })).toMatchObject(refused);
    expect((await api.done(postMember(pool, { request_sriov: false })))['vnic_type']).toBe('normal');
    const flavor_id = await api.flavor({ allow_member_sriov: true });
    const made = {
      name: 'p',
      protocol: 'HTTP',
      lb_algorithm: 'ROUND_ROBIN',
      members: [{ address: '192.0.2.1', protocol_port: 1, request_sriov: true }],
    };
    const fast = await api.loadBalancer({ flavor_id, pools: [made] });
    expect(fast['pools'][0].members[0].vnic_type).toBe('direct');
    const member = await api.done(postMember(fast['pools'][0], { request_sriov: true }));
    expect(member['vnic_type']).toBe('direct');
    const members = [{ address: '192.0.2.9', protocol_port: 9, request_sriov: true }];
    expect((await api.put(`pools/${fast['pools'][0].id}/members`, { members })).status).toBe(202);
    expect(await api.put(`pools/${pool['id']}/members`, { members })).toMatchObject(refused);
  });

  it('are not at the metadata service', async () => {
    const pool = await api.done(postPool({ protocol: 'HTTP' }));
    const refused = fault(400, '169.254.169.254 is not a valid option for member address');
    expect(await postMember(pool, { address: '169.254.169.254' })).toMatchObject(refused);
  });

  it.each(['UDP', 'SCTP'])('of a %s pool are of a family of the VIPs, singly and in batches', async (protocol) => {
    const reason = `This provider doesn't support mixing IPv4 and IPv6 addresses for its VIP and members in ${protocol} load balancers.`;
    const refused = fault(501, `Provider 'amphora' does not support a requested option: ${reason}`);
    const pool = await api.done(postPool({ protocol }));
    const members = [{ address: '2001:db8::1', protocol_port: 1 }];
    expect(await postMember(pool, members[0]!)).toMatchObject(refused);
    expect(await api.put(`pools/${pool['id']}/members`, { members })).toMatchObject(refused);
    const both = await api.loadBalancer({ additional_vips: [{ subnet_id: api.subnet('six') }] });
    const dual = await api.pool({ loadbalancer_id: both['id'], protocol });
    for (const address of ['2001:db8::1', '192.0.2.1']) expect((await postMember(dual, { address })).status).toBe(201);
    const mixed = await api.done(postPool({ protocol: 'TCP' }));
    expect((await postMember(mixed, members[0]!)).status).toBe(201);
  });
});
