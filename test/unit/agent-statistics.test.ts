// What a heartbeat says about listeners, pools and members, and that no byte is reported twice or lost.
import { describe, expect, test } from 'vitest';
import { outline } from '../../amphora/agent/config-diff.ts';
import { parseProcesses } from '../../amphora/agent/runtime-api.ts';
import { newsIn, readStates, readStatistics } from '../../amphora/agent/statistics.ts';
import { accountsIn, TrafficLedger } from '../../amphora/agent/traffic-ledger.ts';

const configured = outline(`global
frontend l1
  bind :80
backend p1:l1
  server m1 10.0.0.1:80
  server m2 10.0.0.2:80
  server m3 10.0.0.3:80
backend prometheus-exporter-internal
  server x 127.0.0.1:1
backend request-rate.l1
  stick-table type binary len 20 size 100k
`);

interface Cells {
  scur?: number;
  slim?: number;
  stot?: number;
  rx?: number;
  tx?: number;
  status?: string;
  weight?: number;
}
const row = (proxy: string, part: string, cells: Cells) => {
  const { scur = 0, slim = '', stot = 0, rx = 0, tx = 0, status = 'UP', weight = 1 } = cells;
  return `${proxy},${part},0,0,${scur},0,${slim},${stot},${rx},${tx},0,0,0,,,,,${status},${weight},1,0,,,,`;
};
const statistics = (...rows: string[]) => readStatistics(`# pxname,svname\n${rows.join('\n')}\n\n`);
const frontend = (cells: Cells) => row('l1', 'FRONTEND', { status: 'OPEN', slim: 10, ...cells });

describe('states', () => {
  test('are HAProxy’s, but DRAIN for weight 0 and FULL at the connection limit', () => {
    const rows = statistics(
      frontend({ scur: 10 }),
      row('p1:l1', 'm1', { status: 'UP', weight: 0 }),
      row('p1:l1', 'm2', { status: 'DOWN 1/2' }),
      row('p1:l1', 'm3', { status: 'no check' }),
      row('p1:l1', 'BACKEND', { status: 'UP' }),
    );
    expect(readStates(rows, configured)).toEqual({
      listeners: { l1: { status: 'FULL', conns: 10 } },
      pools: { 'p1:l1': { status: 'UP', members: { m1: 'DRAIN', m2: 'DOWN 1/2', m3: 'no check' } } },
    });
  });

  test('leave out what the configuration does not have: internal proxies and members on their way out', () => {
    const rows = statistics(
      row('stats', 'FRONTEND', {}),
      row('request-rate.l1', 'BACKEND', {}),
      row('prometheus-exporter-internal', 'BACKEND', {}),
      row('p1:l1', 'removed', { status: 'MAINT' }),
    );
    expect(readStates(rows, configured)).toEqual({ listeners: {}, pools: {} });
  });

  test('are news when a member goes down, not while its checks are under way', () => {
    const news = (status: string) => newsIn(readStates(statistics(row('p1:l1', 'm1', { status })), configured));
    expect(news('UP 1/3')).toBe(news('UP'));
    expect(news('DOWN')).not.toBe(news('UP'));
  });
});

describe('traffic', () => {
  const known = accountsIn(configured);
  const total = (ledger: TrafficLedger, account = 'l1') => ledger.total(account);
  const restarted = (ledger: TrafficLedger) => new TrafficLedger(JSON.parse(JSON.stringify(ledger.save())));

  test('is what came since the amphora began', () => {
    const ledger = new TrafficLedger();
    ledger.see(1, statistics(frontend({ stot: 3, tx: 100, rx: 10 })));
    ledger.see(1, statistics(frontend({ stot: 5, tx: 150, rx: 20 })));
    expect(total(ledger)).toEqual({ totconns: 5, tx: 150, rx: 20, ereq: 0 });
  });

  test('of the old worker is added to that of the new one over a reload', () => {
    const ledger = new TrafficLedger();
    ledger.see(1, statistics(frontend({ tx: 100 })));
    ledger.see(2, statistics(frontend({ tx: 30 })));
    ledger.see(1, statistics(frontend({ tx: 110 })));
    ledger.keepWorkers([2]);
    ledger.see(2, statistics(frontend({ tx: 40 })));
    expect(total(ledger).tx).toBe(150);
  });

  test('counts from zero when another process got the pid', () => {
    const ledger = new TrafficLedger();
    ledger.see(1, statistics(frontend({ tx: 100 })));
    ledger.see(1, statistics(frontend({ tx: 7 })));
    expect(total(ledger).tx).toBe(107);
  });

  test('goes on where the last agent stopped', () => {
    const first = new TrafficLedger();
    first.see(1, statistics(frontend({ tx: 100 }), row('p1:l1', 'm1', { tx: 40 })));
    const second = restarted(first);
    second.see(1, statistics(frontend({ tx: 130 }), row('p1:l1', 'm1', { tx: 50 })));
    expect([total(second).tx, total(second, 'p1/m1').tx]).toEqual([130, 50]);
  });

  test('of a member is that of all listeners which use its pool, failed requests included', () => {
    const ledger = new TrafficLedger();
    const failed = row('p1:l2', 'm1', { tx: 5 }).replace('0,0,0,,,,,UP', '0,0,0,2,3,,,UP');
    ledger.see(1, statistics(row('p1:l1', 'm1', { tx: 40, stot: 2 }), failed));
    expect(total(ledger, 'p1/m1')).toEqual({ tx: 45, rx: 0, totconns: 2, ereq: 5 });
  });

  test('of a member that HAProxy deleted and was given again goes on', () => {
    const ledger = new TrafficLedger();
    ledger.see(1, statistics(row('p1:l1', 'm1', { tx: 40 })));
    ledger.forgetServer(1, 'p1:l1/m1');
    ledger.see(1, statistics(row('p1:l1', 'm1', { tx: 50 })));
    expect(total(ledger, 'p1/m1').tx).toBe(90);
  });

  test('of the agent’s own proxies is nobody’s', () => {
    const ledger = new TrafficLedger();
    const internal = ['prometheus-exporter-internal', 'prometheus-exporter-internal-endpoint'];
    ledger.see(1, statistics(...internal.map((proxy) => row(proxy, 'FRONTEND', { tx: 1 }))));
    expect(ledger.save().totals).toEqual({});
  });

  test('of a deleted member is forgotten, of one whose pool or listener is away kept', () => {
    const ledger = new TrafficLedger();
    ledger.see(1, statistics(frontend({ tx: 1 }), row('p1:l1', 'm1', { tx: 1 }), row('p1:l1', 'gone', { tx: 1 })));
    ledger.see(1, statistics(row('p2:l2', 'm9', { tx: 1 }), row('l2', 'FRONTEND', { tx: 1 })));
    ledger.keepAccounts(known);
    expect(ledger.memberAccounts()).toContain('p1/gone');
    ledger.keepWorkers([]);
    ledger.keepAccounts(known);
    expect(ledger.memberAccounts()).toEqual(['p1/m1', 'p2/m9']);
    expect(total(ledger, 'l2').tx).toBe(1);
  });
});

test('the processes of HAProxy are read, with failed reloads and workers of before', () => {
  const table = `#<PID>  <type>  <reloads>  <uptime>  <version>
4876    master  3 [failed: 2]  0d00h00m32s  2.6.12
# workers
4985    worker  2   0d00h00m15s  2.6.12
# old workers
4800    worker  4   0d00h01m15s  2.6.12
# programs\n`;
  expect(parseProcesses(table)).toEqual({
    master: 4876,
    reloads: 3,
    failedReloads: 2,
    worker: 4985,
    oldWorkers: [4800],
  });
});
