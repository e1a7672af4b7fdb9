// How an agent keeps sessions that HAProxy's peers do not hand on.
import { expect, test } from 'vitest';
import { hasToldAll, isInStep, isLearning } from '../../amphora/agent/peers-state.ts';
import {
  commandsToTeach,
  commandToAnnounce,
  readMemberNumbers,
  readSessions,
  tablesInUse,
} from '../../amphora/agent/stick-tables.ts';

const state = (...rows: string[]) => ['1', '# be_id be_name srv_id srv_name srv_addr', ...rows, ''].join('\n');
const numbers = readMemberNumbers(state('3 pool:one 1 a 192.0.2.1', '3 pool:one 7 b 192.0.2.2'));

test('reads which tables are in use, and whom their entries lead to, by name or by number', () => {
  const tables =
    '# table: pool:one, type: ipv6, size:10240, used:2\n0x1: key=x\n\n# table: other, type: string, size:1, used:0\n';
  expect(tablesInUse(tables)).toEqual(['pool:one']);
  const entries = [
    '# table: pool:one, type: ipv6, size:10240, used:4',
    '0x1: key=::ffff:192.0.2.9 use=0 exp=0 server_id=1 server_key=b',
    '0x2: key=0AF9 use=0 exp=0 shard=0 server_id=7 server_key=-',
    '0x3: key=0AFA use=0 exp=0 server_id=0 server_key=-',
    '0x4: key=0AFB use=0 exp=9 http_req_rate(1000)=4',
  ].join('\n');
  expect(readSessions('pool:one', entries, numbers)).toEqual([
    { table: 'pool:one', key: '::ffff:192.0.2.9', member: 'pool:one/b' },
    { table: 'pool:one', key: '0AF9', member: 'pool:one/b' },
  ]);
});

test('teaches what is missing or leads elsewhere, by the numbers of the new process, and nothing of members that are gone', () => {
  const session = (key: string, member: string) => ({ table: 'pool:one', key, member: `pool:one/${member}` });
  const remembered = [session('01', 'a'), session('02', 'b'), session('03', 'a'), session('04', 'gone')];
  const known = [session('01', 'a'), session('03', 'b')];
  expect(commandsToTeach(remembered, known, numbers)).toEqual([
    'set table pool:one key 02 data.server_id 7',
    'clear table pool:one key 03',
    'set table pool:one key 03 data.server_id 1',
  ]);
  expect(commandToAnnounce(known, numbers)).toEqual(['set table pool:one key 01 data.server_id 1']);
  expect(commandToAnnounce([session('04', 'gone')], numbers)).toEqual([]);
});

/** As HAProxy 2.6 writes it. */
const peers = (flags: string, remote: string, pushed: number) =>
  [
    `0x5: [date] id=abc disabled=0 flags=${flags} resync_timeout=3s task_calls=10`,
    `  0x6: id=abc-1(remote,${remote}) addr=192.0.2.7:1025 last_status=${remote === 'active' ? 'ESTA' : 'CONN'} last_hdshk=1s`,
    '        shared tables:',
    `              last_acked=1 last_pushed=${pushed} last_get=3 teaching_origin=0 update=0`,
    '              table:0x7 id=b update=3 localupdate=3 commitupdate=3 refcnt=1',
    '  0x8: id=abc-0(local,inactive) addr=192.0.2.8:1025 last_status=NONE last_hdshk=<NEVER>',
    '              last_acked=0 last_pushed=0 last_get=0 teaching_origin=0 update=0',
    '              table:0x7 id=b update=3 localupdate=3 commitupdate=3 refcnt=1',
  ].join('\n');

test('a standby is in step when it had a lesson and is connected', () => {
  expect(isInStep(peers('0x2213', 'active', 3))).toBe(true);
  expect(isInStep(peers('0x2213', 'inactive', 3))).toBe(false);
  expect(isInStep(peers('0x33', 'active', 3))).toBe(false);
  expect([isLearning(peers('0x100c', 'active', 3)), isLearning(peers('0x33', 'active', 3))]).toEqual([true, false]);
});

test('who serves has told all when nothing is left to push to the other amphora', () => {
  expect(hasToldAll(peers('0x33', 'active', 3))).toBe(true);
  expect(hasToldAll(peers('0x33', 'active', 2))).toBe(false);
  expect(hasToldAll(peers('0x33', 'inactive', 3))).toBe(false);
});
