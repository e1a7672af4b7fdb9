import { afterAll, beforeAll, expect, test } from 'vitest';
import { permissionsTable } from '../support/permissions-table.ts';
import { discard, type Synthesised, synthesise } from '../support/synthesised.ts';

let stacks: Synthesised;
beforeAll(() => {
  stacks = synthesise();
}, 120_000);
afterAll(() => discard(stacks));

test('docs/permissions.md has what the templates let each role do (`npm test -- test/infra/permissions.test.ts -u` writes it)', async () => {
  const heading = [
    '# Who may do what on AWS',
    'Made from the templates, one row for each statement of each role: functions by their names, flows, and what AWS runs for us. There are no managed policies and no users.',
  ];
  const table = permissionsTable([stacks.stateful, stacks.network, stacks.controlPlane]);
  expect(table.split('\n').length).toBeGreaterThan(80);
  await expect(`${[...heading, table].join('\n\n')}\n`).toMatchFileSnapshot('../../docs/permissions.md');
});
