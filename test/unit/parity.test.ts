// docs/octavia-parity.md says what is proved by which test. Here is what keeps it true: tests it names are there, and it has every route.
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { octaviaService } from '../../lambdas/api/handler.ts';

const root = new URL('../..', import.meta.url);
const read = (path: string): string => readFileSync(new URL(path, root), 'utf8');
const document = read('docs/octavia-parity.md');

/** Rows of tables with a column of that name, as cells. */
const rows = document.split('\n').filter((line) => line.startsWith('|'));
const cellsOf = (row: string): string[] => row.split(' | ').map((cell) => cell.replace(/^\||\|$/g, '').trim());

const citation = /`((?:api|contract|e2e|flows|infra|unit)\/[\w-]+)`((?:\s*“[^”]+”)+)/g;
const cited = [...document.matchAll(citation)].flatMap(([, file, titles]) =>
  [...titles!.matchAll(/“([^”]+)”/g)].map(([, title]) => ({ file: file!, title: title! })),
);
const files = [...new Set(cited.map(({ file }) => file))];

/** As the title of a test or of a block, not as any other text. */
function hasTitle(source: string, title: string): boolean {
  const opening = /(?:\b(?:it|test|describe)|\))\(\s*(['"`])/g;
  return [...source.matchAll(opening)].some(({ 0: text, 1: quote, index }) =>
    source.startsWith(`${title}${quote}`, index + text.length),
  );
}

test.each(files)('every test that parity names in %s is there', (file) => {
  const source = read(`test/${file}.test.ts`);
  const titles = cited.filter((one) => one.file === file).map(({ title }) => title);
  expect([...new Set(titles)].filter((title) => !hasTitle(source, title))).toEqual([]);
});

test('what is done has a proof, and every state is one of three', () => {
  const headed = rows.filter((row) => /\| (done|differs|not)\b/.test(row));
  expect(headed.length).toBeGreaterThan(150);
  const isProved = (row: string) => row.match(citation) !== null;
  expect(headed.filter((row) => cellsOf(row).some((cell) => /^done\b/.test(cell)) && !isProved(row))).toEqual([]);
  const tables = document.split('| row | state | proof |').slice(1);
  const states = tables.flatMap((table) => {
    const lines = table.trim().split('\n');
    return lines.slice(1, Math.max(lines.indexOf(''), 1)).map((row) => cellsOf(row)[1]);
  });
  expect(states.filter((state) => !/^(done|differs|not)\b/.test(state ?? ''))).toEqual([]);
});

const inDocument = (route: string): string => route.replace('/v2.0', '').replace(/\{[^}]+\}/g, '{id}');

test('every route of the API has its row', () => {
  const versions = ['GET /v2.0', 'GET /v2.0/lbaas', 'GET /v2.0/octavia', 'HEAD /healthcheck', 'GET /healthcheck'];
  const missing = Object.keys(octaviaService.routes)
    .filter((route) => !versions.includes(route))
    .filter((route) => !document.includes(`\`${inDocument(route)}\``) && !document.includes(`\`${ownCall(route)}\``));
  expect(missing).toEqual([]);
});

/** Calls beyond Octavia are written with their whole path. */
const ownCall = (route: string): string => route.replace(/\{[^}]+\}/g, '{id}');
