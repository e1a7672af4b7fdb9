// The stacks as CloudFormation would get them, made once for a test file, without an account and without the command line.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Template } from 'aws-cdk-lib/assertions';
import { octaviaApp } from '../../infra/deployment.ts';

const cdkContext = (): Record<string, unknown> => JSON.parse(readFileSync('cdk.json', 'utf8')).context;

export interface Resource {
  Type: string;
  Properties: Record<string, any>;
  DependsOn?: string | string[];
  DeletionPolicy?: string;
}

export interface Synthesised {
  outdir: string;
  stateful: Template;
  network: Template;
  controlPlane: Template;
  observability: Template;
}

/** @param context beside that of cdk.json */
export function synthesise(context: Record<string, unknown> = {}): Synthesised {
  const outdir = mkdtempSync(join(tmpdir(), 'octavia-synth-'));
  const { stateful, network, controlPlane, observability } = octaviaApp({
    outdir,
    context: { ...cdkContext(), ...context },
  });
  return {
    outdir,
    stateful: Template.fromStack(stateful),
    network: Template.fromStack(network),
    controlPlane: Template.fromStack(controlPlane),
    observability: Template.fromStack(observability),
  };
}

export const discard = ({ outdir }: Synthesised): void => rmSync(outdir, { recursive: true, force: true });

/** By logical id. */
export const resourcesOf = (template: Template, type: string): Record<string, Resource> =>
  template.findResources(type) as Record<string, Resource>;

/** The resource that a `Fn::GetAtt` or `Ref` names. */
export function targetOf(value: unknown): string {
  const { 'Fn::GetAtt': attribute, Ref } = value as { 'Fn::GetAtt'?: [string, string]; Ref?: string };
  return attribute?.[0] ?? Ref ?? JSON.stringify(value);
}

/** Text with everything only CloudFormation knows replaced by something plausible. */
export function resolved(value: unknown): string {
  if (typeof value === 'string') return value;
  const { 'Fn::Join': join_, Ref } = value as { 'Fn::Join'?: [string, unknown[]]; Ref?: string };
  if (join_) return join_[1].map(resolved).join(join_[0]);
  const known: Record<string, string> = {
    'AWS::Partition': 'aws',
    'AWS::Region': 'eu-central-1',
    'AWS::AccountId': '123456789012',
  };
  return known[Ref ?? ''] ?? targetOf(value).replaceAll(/[^\w-]/g, '');
}
