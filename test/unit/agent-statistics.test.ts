// What a heartbeat says about listeners, pools and members, and that no byte is reported twice or lost.
import { describe, expect, test } from 'vitest';
import { outline } from '../../amphora/agent/config-diff.ts';
import { parseProcesses } from '../../amphora/agent/runtime-api.ts';
import { newsIn, readStates, readStatistics, TrafficLedger } from '../../amphora/agent/statistics.ts';

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
  const known = new Set(['l1']);

  test('is reported as what came since the last report that arrived', () => {
    const ledger = new TrafficLedger();
    ledger.see(1, statistics(frontend({ stot: 3, tx: 100, rx: 10 })));
    expect(ledger.owed('l1')).toEqual({ totconns: 3, tx: 100, rx: 10, ereq: 0 });
    const reported = { l1: ledger.owed('l1') };
    ledger.see(1, statistics(frontend({ stot: 5, tx: 150, rx: 20 })));
    expect(ledger.owed('l1').tx).toBe(150);
    ledger.settle(reported, known);
    expect(ledger.owed('l1')).toEqual({ totconns: 2, tx: 50, rx: 10, ereq: 0 });
  });

  test('of the old worker is added to that of the new one over a reload', () => {
    const ledger = new TrafficLedger();
    ledger.see(1, statistics(frontend({ tx: 100 })));
    ledger.see(2, statistics(frontend({ tx: 30 })));
    ledger.see(1, statistics(frontend({ tx: 110 })));
    ledger.keepWorkers([2]);
    ledger.see(2, statistics(frontend({ tx: 40 })));
    expect(ledger.owed('l1').tx).toBe(150);
  });

  test('counts from zero when another process got the pid', () => {
    const ledger = new TrafficLedger();
    ledger.see(1, statistics(frontend({ tx: 100 })));
    ledger.see(1, statistics(frontend({ tx: 7 })));
    expect(ledger.owed('l1').tx).toBe(107);
  });

  test('goes on where the last agent stopped', () => {
    const first = new TrafficLedger();
    first.see(1, statistics(frontend({ tx: 100 })));
    first.settle({ l1: first.owed('l1') }, known);
    const second = new TrafficLedger(JSON.parse(JSON.stringify(first.save())));
    second.see(1, statistics(frontend({ tx: 130 })));
    expect(second.owed('l1').tx).toBe(30);
  });

  test('of a listener that is not reported for a while is kept, of a deleted one forgotten', () => {
    const ledger = new TrafficLedger();
    ledger.see(1, statistics(frontend({ tx: 100 })));
    ledger.settle({}, known);
    expect(ledger.owed('l1').tx).toBe(100);
    ledger.settle({}, new Set());
    expect(ledger.owed('l1').tx).toBe(0);
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
