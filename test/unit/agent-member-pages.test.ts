// How the statistics of thousands of members ride along with heartbeats that stay small.
import { randomUUID } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { MemberPages, membersPerPage, pagesBudgetBytes } from '../../amphora/agent/member-pages.ts';
import type { MemberCounts, MemberPage } from '../../amphora/agent-api.ts';

const pool = randomUUID();
const members = (count: number) => Array.from({ length: count }, () => `${pool}/${randomUUID()}`);
const busy: MemberCounts = [123_456_789, 1_234_567_890, 123_456, 12, 34];
const idOf = (account: string) => account.split('/')[1]!;
const sizeOf = (pages: Record<string, MemberPage>) => JSON.stringify(JSON.stringify(pages)).length;

/** Heartbeats until there is nothing to say any more. */
function sendAll(pages: MemberPages, countsOf: (account: string) => MemberCounts): Record<string, MemberPage>[] {
  const sent: Record<string, MemberPage>[] = [];
  for (let due = pages.due(countsOf); Object.keys(due).length > 0; due = pages.due(countsOf)) {
    pages.settle(due);
    sent.push(due);
  }
  return sent;
}

describe('statistics of members', () => {
  test('of 5,000 that are all busy are told within seven heartbeats, each far below what a message holds', () => {
    const all = members(5_000);
    const pages = new MemberPages();
    pages.place(all);
    const sent = sendAll(pages, () => busy);
    const sizes = sent.map(sizeOf);
    process.stdout.write(`  5,000 busy members: ${sizes.length} heartbeats, ${Math.max(...sizes)} bytes at most\n`);
    expect(sent.length).toBeLessThanOrEqual(7);
    expect(Math.max(...sizes)).toBeLessThan(1.2 * pagesBudgetBytes);
    expect(new Set(sent.flatMap((each) => Object.values(each).flatMap(Object.keys)))).toEqual(new Set(all.map(idOf)));
  });

  test('of whom nothing is new are not told, and one with news brings its page alone', () => {
    const all = members(1_000);
    const pages = new MemberPages();
    pages.place(all);
    sendAll(pages, () => busy);
    expect(pages.due(() => busy)).toEqual({});
    const [due] = sendAll(pages, (account) => (account === all[500] ? [0, 0, 0, 0, 1] : busy));
    expect(Object.keys(due!)).toHaveLength(1);
    expect(Object.keys(Object.values(due!)[0]!)).toHaveLength(membersPerPage);
  });

  test('that wait have their turn before those that change all the time', () => {
    const pages = new MemberPages();
    pages.place(members(5_000));
    let count = 0;
    const told = new Set<string>();
    for (let beat = 0; beat < 8; beat++) {
      count++;
      const due = pages.due(() => [count, 0, 0, 0, 0]);
      for (const page of Object.keys(due)) told.add(page);
      pages.settle(due);
    }
    expect(told.size).toBe(Math.ceil(5_000 / membersPerPage));
  });

  test('that were not sent are told again, and after a start of the agent all are', () => {
    const all = members(100);
    const pages = new MemberPages();
    pages.place(all);
    const first = pages.due(() => busy);
    expect(pages.due(() => busy)).toEqual(first);
    pages.settle(first);
    const next = new MemberPages(JSON.parse(JSON.stringify(pages.save())));
    next.place(all);
    expect(next.due(() => busy)).toEqual(first);
  });

  test('are told again after a while, in case they were lost on their way', () => {
    const pages = new MemberPages([], 3);
    pages.place(members(1));
    const [first] = sendAll(pages, () => busy);
    expect(pages.due(() => busy)).toEqual({});
    expect(pages.due(() => busy)).toEqual(first);
  });

  test('stay on their page, and a new member takes the place of one that is gone', () => {
    const [gone, ...others] = members(130) as [string, ...string[]];
    const pages = new MemberPages();
    pages.place([gone, ...others]);
    sendAll(pages, () => busy);
    const [fresh] = members(1) as [string];
    pages.place([...others, fresh]);
    const [due] = sendAll(pages, () => busy);
    expect(Object.keys(due!)).toEqual(['0']);
    expect(Object.keys(due!['0']!)).toContain(idOf(fresh));
    expect(Object.keys(due!['0']!)).not.toContain(idOf(gone));
  });
});
