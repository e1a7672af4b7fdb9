// What outlives a deployment on purpose, and the way back from a restore.
import { readFileSync } from 'node:fs';
import type { Template } from 'aws-cdk-lib/assertions';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { discard, type Resource, resourcesOf, type Synthesised, synthesise } from '../support/synthesised.ts';

const name = 'octavia-restored';
const stream_arn = `arn:aws:dynamodb:eu-central-1:123456789012:table/${name}/stream/2026-11-21T10:00:00.000`;

let stacks: Synthesised;
let restored: Synthesised;
beforeAll(() => {
  stacks = synthesise();
  restored = synthesise({ 'octavia:restored_table': { name, stream_arn } });
}, 240_000);
afterAll(() => [stacks, restored].forEach(discard));

const isRetained = ({ DeletionPolicy, Type }: Resource): boolean =>
  DeletionPolicy?.startsWith('Retain') === true && Type !== 'AWS::Lambda::Version';

/** The table of the runbook's article: stack, logical id without its hash, and the command that removes it. */
function listed(): string[] {
  const article = readFileSync('docs/runbook.md', 'utf8').split('\n## Uninstalling\n')[1]!.split('\n## ')[0]!;
  return [...article.matchAll(/^\| (\w+) \| (\w+) \| `aws (.+)` \|$/gm)].map(([, stack, id]) => `${stack} ${id}`);
}

describe('what is kept when the stacks are deleted', () => {
  it('is in the runbook, each with the command that removes it, and nothing else is', () => {
    const templates: Record<string, Template> = {
      stateful: stacks.stateful,
      network: stacks.network,
      control: stacks.controlPlane,
      observability: stacks.observability,
    };
    const kept = Object.entries(templates).flatMap(([stack, template]) =>
      Object.entries(template.toJSON()['Resources'] as Record<string, Resource>)
        .filter(([, resource]) => isRetained(resource))
        .map(([id]) => `${stack} ${id.replace(/[0-9A-F]{8}$/, '')}`),
    );
    expect(kept.length).toBeGreaterThan(3);
    expect(listed().sort()).toEqual(kept.sort());
  });

  it('are not versions of functions, which go with their function', () => {
    const functions = resourcesOf(stacks.controlPlane, 'AWS::Lambda::Function');
    for (const { DeletionPolicy } of Object.values(functions)) expect(DeletionPolicy ?? 'Delete').toBe('Delete');
  });
});

describe('a restored table', () => {
  it('is used by every function in place of the one of the deployment, which is kept', () => {
    const functions = Object.values(resourcesOf(restored.controlPlane, 'AWS::Lambda::Function'));
    const tables = functions.flatMap(({ Properties }) => Properties['Environment'].Variables.OCTAVIA_TABLE_NAME ?? []);
    expect(tables.length).toBeGreaterThan(15);
    expect(new Set(tables)).toEqual(new Set([name]));
    restored.stateful.resourceCountIs('AWS::DynamoDB::Table', 1);
    expect(JSON.stringify(restored.controlPlane.toJSON())).not.toContain('ExportsOutputRefTable');
  });

  it('is what roles may read and write, and whose outbox is sent on', () => {
    const policies = JSON.stringify(resourcesOf(restored.controlPlane, 'AWS::IAM::Policy'));
    expect(policies).toContain(`:table/${name}/index/by_project`);
    const sources = JSON.stringify(resourcesOf(restored.controlPlane, 'AWS::Lambda::EventSourceMapping'));
    expect(sources).toContain(stream_arn);
    // Who reads the stream opens what the key has closed.
    const reader = Object.values(resourcesOf(restored.controlPlane, 'AWS::IAM::Policy'))
      .map(({ Properties }) => JSON.stringify(Properties['PolicyDocument']))
      .find((policy) => policy.includes('dynamodb:GetRecords'));
    expect(reader).toContain('kms:Decrypt');
  });
});
