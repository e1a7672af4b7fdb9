// Random sequences of calls, in any mixture with held and released queues, agree with a small model of the status machine.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ControlPlane } from '../support/control-plane.ts';
import { assertAgreement } from '../support/status-agreement.ts';
import { beginning, commands } from '../support/status-commands.ts';
import { StatusModel } from '../support/status-model.ts';

const seed = process.env['MODEL_SEED'];
const replay = seed === undefined ? {} : { seed: Number(seed), path: process.env['MODEL_PATH'] ?? '' };
const runs = { numRuns: Number(process.env['MODEL_RUNS'] ?? 50), endOnFailure: seed !== undefined, ...replay };

/** @returns how to see the same again, with what failed; empty when nothing did */
function reportOf<T>(details: fc.RunDetails<T>, conflictPolicy: string): string {
  if (!details.failed) return '';
  const path = /replayPath="([^"]*)"/.exec(fc.stringify(details.counterexample))?.[1] ?? '';
  const again = `MODEL_SEED=${details.seed} MODEL_PATH='${details.counterexamplePath}' MODEL_REPLAY='${path}'`;
  const { errorInstance } = details;
  const error = errorInstance instanceof Error ? errorInstance.stack : String(errorInstance);
  return [
    `to replay: ${again} npm test -- test/api/status-model.test.ts -t ${conflictPolicy}`,
    fc.defaultReportMessage(details),
    error,
  ].join('\n');
}

describe.each(['queue', 'strict'] as const)('with conflict_policy %s', (conflict_policy) => {
  it('any calls end with everything ACTIVE or gone, counted, numbered and in force', { timeout: 300_000 }, async () => {
    const property = fc.asyncProperty(commands(), async (calls) => {
      await using plane = await ControlPlane.start({ config: { conflict_policy } });
      const model = new StatusModel(conflict_policy === 'strict');
      const seen = { generations: new Map<string, number>(), nextPort: 1000, batches: 0 };
      await fc.asyncModelRun(() => ({ model, real: { plane, seen } }), [...beginning(), ...calls]);
      await assertAgreement(model, plane, seen);
    });
    expect(reportOf(await fc.check(property, runs), conflict_policy)).toBe('');
  });
});
