// AWS's linter of CloudFormation's templates (cfn-lint, from PyPI): properties that no resource has, values that are not taken,
// references that lead nowhere, by the schemas CloudFormation itself publishes.
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { pythonPackages } from '../python-packages.ts';

const run = promisify(execFile);
const { home, whyMissing } = pythonPackages(join(import.meta.dirname, 'requirements.txt'));

/** undefined once it is installed, else why it cannot be. */
export const whyNoLinter = whyMissing;

const region = 'eu-central-1';
/** What CDK writes by itself, and harms nobody. */
const acknowledged = {
  W3005: 'CDK waits for a role and its policy together, though a reference waits for the role already',
  W6001: 'an output that names what another stack made is there to be read by operators',
};
/** Its codes: 2 errors, 4 warnings, 8 remarks, and their sums. */
const isOfFindings = (code: unknown): boolean => typeof code === 'number' && code % 2 === 0;

/** Errors and warnings, a line each. @throws Error when it did not run */
export async function lint(templates: string[]): Promise<string[]> {
  const env = { PATH: process.env['PATH'], HOME: process.env['HOME'], PYTHONPATH: home };
  const ignored = Object.keys(acknowledged).join(',');
  const options = ['--format', 'parseable', '--regions', region, '--ignore-checks', ignored];
  try {
    const { stdout } = await run('python3', [join(home, 'bin', 'cfn-lint'), ...options, '--', ...templates], { env });
    return linesOf(stdout);
  } catch (error) {
    const { code, stdout } = error as { code: unknown; stdout: string };
    const lines = linesOf(stdout ?? '');
    if (isOfFindings(code) && stdout.trim() !== '') return lines;
    throw error;
  }
}

/** In CloudFormation's reference, and not yet in the linter's. */
const isUnknownToIt = (line: string): boolean => line.includes("E3006:Resource type 'AWS::EC2::SubnetCidrReservation'");

const linesOf = (text: string): string[] =>
  text.split('\n').filter((line) => line.trim() !== '' && !isUnknownToIt(line));
