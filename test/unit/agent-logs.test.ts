// Logs on the disk of an amphora, with small sizes: rotation, the budget, what a kill leaves.
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Archives } from '../../amphora/agent/logs/archives.ts';
import { FrameReader, sorted } from '../../amphora/agent/logs/frames.ts';
import { LogFile } from '../../amphora/agent/logs/log-file.ts';
import { Shipping } from '../../amphora/agent/logs/shipping.ts';
import { archiveName } from '../../amphora/agent-api.ts';

const owner = '5d0f3f1e-6a53-4a3c-9c38-0f4d2f6f8a11';
let root: string;
let directory: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'agent-logs-'));
  directory = join(root, 'tenant');
});
afterEach(() => rmSync(root, { recursive: true }));

const limits = { chunk_bytes: 1_000, chunk_age_ms: 60_000, budget_bytes: 10_000 };
const open = (given: Partial<typeof limits> = {}) => new LogFile('tenant', directory, { ...limits, ...given });
const lines = (...texts: string[]) => texts.map((text) => Buffer.from(text));
const textsOf = (archives: Archives) =>
  archives.ready.map(({ name }) => gunzipSync(readFileSync(archives.path(name)!)).toString());

describe('frames', () => {
  const frame = (text: string) => `${Buffer.byteLength(text)} ${text}`;
  const stream = Buffer.from(['<134>a b', '<134>é', '<133>12 events dropped'].map(frame).join(''));

  test.each([1, 2, 3, 7, 1_000])('are whole again whatever the reads are, %i bytes for one', (size) => {
    const reader = new FrameReader();
    const frames: Buffer[] = [];
    for (let at = 0; at < stream.length; at += size) frames.push(...reader.read(stream.subarray(at, at + size)));
    expect(frames.map(String)).toEqual(['<134>a b', '<134>é', '<133>12 events dropped']);
  });

  test('are told from what is none', () => {
    expect(() => new FrameReader().read(Buffer.from('GET / HTTP/1.1\r\n'))).toThrow('no length');
    expect(() => new FrameReader().read(Buffer.from('123456789123 '))).toThrow('without an end');
  });

  test('of traffic go to the tenant, all others to operators, and what HAProxy dropped is counted', () => {
    const frames = lines('<134>a b', '<133>12 events dropped', '<137>1 - - Server is DOWN', '<133>1 event dropped');
    expect(sorted(frames)).toEqual({
      tenant: lines('a b'),
      admin: ['12 events dropped', '1 - - Server is DOWN', '1 event dropped'],
      dropped: 13,
    });
  });
});

describe('a log', () => {
  test('is closed when it is large, and its archive says what is in it', async () => {
    const log = open({ chunk_bytes: 10 });
    log.append(owner, lines('one', 'two'));
    log.append(owner, lines('three'));
    log.append(owner, lines('four'));
    await log.archives.settled();
    expect(textsOf(log.archives)).toEqual(['one\ntwo\nthree\n']);
    const [archive] = log.archives.ready;
    const { groups } = archiveName.exec(archive!.name)!;
    expect(groups).toMatchObject({ kind: 'tenant', owner });
    expect(archive).toMatchObject({ kind: 'tenant', sha256: expect.stringMatching(/^[0-9a-f]{64}$/) });
    expect(Math.abs(Date.now() - Date.parse(archive!.from))).toBeLessThan(60_000);
    expect(Date.parse(archive!.to)).toBeGreaterThanOrEqual(Date.parse(archive!.from));
  });

  test('is closed when it is old, and not before', async () => {
    const log = open();
    log.append(owner, lines('one'));
    log.closeIfOld(Date.now() + limits.chunk_age_ms - 5_000);
    await log.archives.settled();
    expect(log.archives.ready).toEqual([]);
    log.closeIfOld(Date.now() + limits.chunk_age_ms);
    await log.archives.settled();
    expect(textsOf(log.archives)).toEqual(['one\n']);
  });

  test('of nothing is no archive', async () => {
    const log = open();
    log.append(owner, []);
    log.close();
    await log.archives.settled();
    expect(log.archives.ready).toEqual([]);
  });

  test('never holds lines of two load balancers', async () => {
    const log = open();
    log.append(owner, lines('mine'));
    log.append(owner.replaceAll('5', '6'), lines('yours'));
    log.close();
    await log.archives.settled();
    expect(textsOf(log.archives).sort()).toEqual(['mine\n', 'yours\n']);
  });

  test('does not outgrow its budget: a flood is dropped and counted, and room made by shipping is used', async () => {
    const log = open({ budget_bytes: 5_000 });
    const line = (number: number) => Buffer.from(String(number).padStart(99));
    for (let number = 0; number < 200; number++) {
      log.append(owner, [line(number)]);
      const onDisk = readdirSync(directory).filter((file) => !file.endsWith('.new'));
      const bytes = onDisk.reduce((sum, file) => sum + readFileSync(join(directory, file)).length, 0);
      expect(bytes).toBeLessThanOrEqual(5_000);
    }
    expect(log.dropped).toBe(150);
    // Gzipped they are smaller, which is room.
    await log.archives.settled();
    for (const { name } of log.archives.ready) log.archives.remove(name);
    expect(log.bytes).toBe(0);
    log.append(owner, [line(1)]);
    expect(log.dropped).toBe(150);
  });
});

describe('after a kill', () => {
  const name = (number: number) => `tenant-${owner}-20260301T00000${number}Z-0000000${number}`;
  const put = (file: string, content: string | Buffer) => writeFileSync(join(directory, file), content);

  test('what was open, closed or half gzipped is an archive once, under its name', async () => {
    mkdirSync(directory);
    put(`${name(1)}.open`, 'open\n');
    put(`${name(2)}.open`, '');
    put(`${name(3)}.log`, 'closed\n');
    put(`${name(3)}.log.gz.new`, 'half');
    const before = new Archives(directory);
    before.recover();
    await before.settled();
    const again = new Archives(directory);
    again.recover();
    await again.settled();
    expect(again.ready).toEqual(before.ready);
    expect(again.ready.map((one) => one.name)).toEqual([name(1), name(3)]);
    expect(textsOf(again)).toEqual(['open\n', 'closed\n']);
    expect(readdirSync(directory).sort()).toEqual([`${name(1)}.log.gz`, `${name(3)}.log.gz`]);
  });

  test('what was gzipped but not yet taken away is not doubled', async () => {
    mkdirSync(directory);
    put(`${name(1)}.log`, 'closed\n');
    const first = new Archives(directory);
    first.recover();
    await first.settled();
    put(`${name(1)}.log`, 'closed\n');
    const second = new Archives(directory);
    second.recover();
    await second.settled();
    expect(second.ready).toEqual(first.ready);
    expect(readdirSync(directory)).toEqual([`${name(1)}.log.gz`]);
  });
});

describe('asking for a right', () => {
  test('names the oldest, few at a time, and each again only after a while', async () => {
    const log = open({ chunk_bytes: 1 });
    for (let number = 0; number < 6; number++) log.append(owner, lines(String(number)));
    await log.archives.settled();
    const shipping = new Shipping([log.archives]);
    const asked = (now: number) => shipping.toAsk(now).map((one) => one.name);
    const first = asked(0);
    expect(first).toHaveLength(4);
    expect(asked(1)).toHaveLength(2);
    expect(asked(2)).toEqual([]);
    expect(asked(10_000)).toEqual(first);
  });

  test('of an archive that is not there is refused', () => {
    const log = open();
    const shipping = new Shipping([log.archives]);
    expect(shipping.ship('tenant-x', { url: 'http://127.0.0.1:1/', headers: {}, expires_at: 0 })).toBe(false);
  });
});
