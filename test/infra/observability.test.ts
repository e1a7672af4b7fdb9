import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { discard, type Resource, resourcesOf, type Synthesised, synthesise } from '../support/synthesised.ts';

let stacks: Synthesised;
beforeAll(() => {
  stacks = synthesise({ 'octavia:alarm_topic_arn': 'arn:aws:sns:eu-central-1:123456789012:operators' });
}, 120_000);
afterAll(() => discard(stacks));

const alarms = (): Resource[] => Object.values(resourcesOf(stacks.observability, 'AWS::CloudWatch::Alarm'));
/** As renderers of Markdown make anchors. */
const anchors = (markdown: string): string[] =>
  [...markdown.matchAll(/^## (.*)$/gm)].map(([, heading]) =>
    heading!
      .toLowerCase()
      .replaceAll(/[^\w\- ]/g, '')
      .replaceAll(' ', '-'),
  );

describe('alarms', () => {
  it('each lead to an article of the runbook that is there', () => {
    const known = anchors(readFileSync('docs/runbook.md', 'utf8'));
    const linked = alarms().map(
      ({ Properties }) => /docs\/runbook\.md#([\w-]+)$/.exec(Properties['AlarmDescription'])?.[1],
    );
    expect(linked.length).toBeGreaterThan(10);
    expect(linked.filter((anchor) => !known.includes(anchor!))).toEqual([]);
  });

  it('watch every queue of dead letters', () => {
    const queues = resourcesOf(stacks.controlPlane, 'AWS::SQS::Queue');
    const deadLetters = Object.keys(queues).filter((id) => queues[id]!.Properties['RedrivePolicy'] === undefined);
    const watched = JSON.stringify(alarms());
    expect(deadLetters).toHaveLength(5);
    expect(deadLetters.filter((id) => !watched.includes(`ExportsOutputFnGetAtt${id}`))).toEqual([]);
  });

  it('take the metrics of our own that functions put', () => {
    const ours = alarms().filter(({ Properties }) => Properties['Namespace'] === 'Octavia');
    const names = ours.map(({ Properties }) => Properties['MetricName']).toSorted();
    expect(names).toEqual(['FailoverSeconds', 'OldestPendingSeconds', 'StormGuardedZones']);
    const code = readFileSync('lambdas/runtime/metrics.ts', 'utf8');
    for (const name of names) expect(code).toContain(`  ${name}: number;`);
    for (const { Properties } of ours) expect(Properties['Dimensions']).toMatchObject([{ Name: 'service' }]);
  });

  it('take silence for trouble where silence is the trouble', () => {
    const bad = alarms().filter(({ Properties }) => Properties['TreatMissingData'] === 'breaching');
    expect(bad.map(({ Properties }) => Properties['AlarmName'])).toEqual(['octavia-no-health-scan']);
  });

  it('tell the topic of the deployment, when they begin and when they are over', () => {
    for (const { Properties } of alarms())
      for (const actions of ['AlarmActions', 'OKActions'])
        expect(Properties[actions]).toEqual(['arn:aws:sns:eu-central-1:123456789012:operators']);
  });
});

it('the dashboard shows every alarm', () => {
  const [dashboard] = Object.values(resourcesOf(stacks.observability, 'AWS::CloudWatch::Dashboard'));
  const body = JSON.stringify(dashboard!.Properties['DashboardBody']);
  expect(body.match(/annotations\\":{\\"alarms/g)).toHaveLength(alarms().length);
});
