import { globSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { lint, whyNoLinter } from '../support/cfn-lint/linter.ts';
import { discard, type Synthesised, synthesise } from '../support/synthesised.ts';

const missing = await whyNoLinter();
if (missing) console.info(`templates: left out, as there is no cfn-lint: ${missing}`);

describe.skipIf(missing)('cfn-lint', () => {
  let stacks: Synthesised;
  beforeAll(() => {
    // With all that may be chosen, so that every stack is there.
    stacks = synthesise({
      'octavia:image': { architectures: ['arm64', 'amd64'], schedule: 'cron(0 4 1 * ? *)' },
      'octavia:alarm_topic_arn': 'arn:aws:sns:eu-central-1:123456789012:operators',
    });
  }, 240_000);
  afterAll(() => discard(stacks));

  it('finds nothing in any template', async () => {
    const templates = globSync('*.template.json', { cwd: stacks.outdir });
    expect(templates.map((file) => basename(file, '.template.json')).sort()).toEqual([
      'octavia-control-plane',
      'octavia-image',
      'octavia-network',
      'octavia-observability',
      'octavia-stateful',
    ]);
    expect(await lint(templates.map((file) => join(stacks.outdir, file)))).toEqual([]);
  }, 240_000);

  it('finds a property that no queue has', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'octavia-lint-'));
    const file = join(directory, 'wrong.template.json');
    const Properties = { VisibilityTimeOut: 30 };
    writeFileSync(file, JSON.stringify({ Resources: { Queue: { Type: 'AWS::SQS::Queue', Properties } } }));
    const findings = await lint([file]);
    rmSync(directory, { recursive: true, force: true });
    expect(findings.join('\n')).toMatch(/E3002.*VisibilityTimeOut/);
  }, 120_000);
});
