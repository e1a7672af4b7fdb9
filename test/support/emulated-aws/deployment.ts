// Our stacks in an emulator of AWS, put there by the CDK's own command as an operator does.
import { execFile } from 'node:child_process';
import { globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const region = 'eu-central-1';
const account = '000000000000';
const timeoutMs = 120_000;

/** What AWS's clients take from the environment to reach the emulator. */
export const environmentOf = (url: string): Record<string, string> => ({
  AWS_ENDPOINT_URL: url,
  AWS_REGION: region,
  AWS_ACCESS_KEY_ID: 'test',
  AWS_SECRET_ACCESS_KEY: 'test',
});

export interface Deployed {
  /** By stack and name. */
  outputs: Record<string, Record<string, string>>;
  /** The command's last lines. */
  said: string;
}

async function cdk(url: string, args: string[]): Promise<string> {
  const env = { PATH: process.env['PATH'], HOME: process.env['HOME'], ...environmentOf(url) };
  const file = join('node_modules', 'aws-cdk', 'bin', 'cdk');
  const { stdout, stderr } = await run(process.execPath, [file, ...args], { env, timeout: timeoutMs });
  return `${stdout}${stderr}`;
}

/** What of our templates the emulator does not know; nothing refers to any of them. */
const unknown = ['AWS::EC2::SubnetCidrReservation', 'AWS::EC2::SecurityGroupIngress', 'AWS::EC2::SecurityGroupEgress'];

/** @returns how many resources of which type were left out */
export function withoutUnknown(assembly: string): Record<string, number> {
  const left: Record<string, number> = {};
  for (const name of globSync('*.template.json', { cwd: assembly })) {
    const file = join(assembly, name);
    const template = JSON.parse(readFileSync(file, 'utf8')) as { Resources: Record<string, { Type: string }> };
    const kept = Object.entries(template.Resources).filter(([, { Type }]) => {
      if (unknown.includes(Type)) left[Type] = (left[Type] ?? 0) + 1;
      return !unknown.includes(Type);
    });
    writeFileSync(file, JSON.stringify({ ...template, Resources: Object.fromEntries(kept) }));
  }
  return left;
}

/** @param assembly made by `cdk synth` @throws Error with the command's output */
export async function deploy(url: string, assembly: string): Promise<Deployed> {
  const directory = mkdtempSync(join(tmpdir(), 'octavia-deployed-'));
  const outputs = join(directory, 'outputs.json');
  try {
    await cdk(url, ['bootstrap', `aws://${account}/${region}`, '--app', assembly]);
    const options = ['--all', '--require-approval', 'never', '--outputs-file', outputs];
    const said = await cdk(url, ['deploy', '--app', assembly, ...options]);
    return { outputs: JSON.parse(readFileSync(outputs, 'utf8')), said };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
