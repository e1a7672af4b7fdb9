// Who may import whom: the tree of docs/architecture.md, held against the import specifiers of every source file.
import { globSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { describe, expect, test } from 'vitest';

const root = join(import.meta.dirname, '..');
const sources = globSync(['lambdas/**/*.ts', 'amphora/**/*.ts', 'local/**/*.ts', 'infra/**/*.ts', 'bench/**/*.ts'], {
  cwd: root,
}).sort();

interface Import {
  file: string;
  /** A package's name, or the path of a file of ours from the root. */
  target: string;
  isType: boolean;
}

const statement = /^\s*(?:import|export)\s+(type\s+)?(?:[^'"`;]*?\sfrom\s+)?['"]([^'"]+)['"]/gm;
const dynamic = /\bimport\(\s*['"]([^'"]+)['"]\s*\)/g;

function importsOf(file: string): Import[] {
  const text = readFileSync(join(root, file), 'utf8');
  const resolved = (specifier: string) =>
    specifier.startsWith('.') ? normalize(join(dirname(file), specifier)) : specifier;
  return [
    ...[...text.matchAll(statement)].map(([, type, specifier]) => ({
      file,
      target: resolved(specifier!),
      isType: type !== undefined,
    })),
    ...[...text.matchAll(dynamic)].map(([, specifier]) => ({ file, target: resolved(specifier!), isType: false })),
  ];
}

const imports = sources.flatMap(importsOf);
const within = (folder: string) => (path: string) => path.startsWith(`${folder}/`);
const isOurs = (path: string) =>
  ['lambdas', 'amphora', 'local', 'infra', 'bench', 'test'].some((top) => within(top)(path));

/** What a file may import of ours, by the longest prefix of its path; folders end in a slash, files do not. */
const allowed: Record<string, string[]> = {
  'lambdas/domain/': ['lambdas/domain/'],
  'lambdas/haproxy/': ['lambdas/domain/', 'lambdas/haproxy/'],
  'lambdas/lvs/': ['lambdas/domain/', 'lambdas/lvs/'],
  'lambdas/repositories/': ['lambdas/domain/', 'lambdas/repositories/', 'lambdas/drivers/table/table.ts'],
  'lambdas/drivers/': [
    'lambdas/domain/',
    'lambdas/drivers/',
    'amphora/agent-api.ts',
    'amphora/boot-document.ts',
    'amphora/image/stock-install.ts',
  ],
  'lambdas/runtime/': ['lambdas/domain/', 'lambdas/drivers/', 'lambdas/repositories/', 'lambdas/runtime/'],
  'lambdas/controller/': [
    'lambdas/domain/',
    'lambdas/haproxy/',
    'lambdas/lvs/',
    'lambdas/repositories/',
    'lambdas/drivers/',
    'lambdas/runtime/',
    'lambdas/controller/',
    'amphora/agent-api.ts',
  ],
  'amphora/': ['amphora/'],
  'infra/': ['infra/', 'lambdas/runtime/config.ts', 'lambdas/drivers/network/vpc-subnets.ts'],
  'local/': ['lambdas/', 'amphora/', 'local/'],
  'bench/': ['lambdas/', 'amphora/', 'local/', 'bench/', 'test/support/'],
};
const entries = [
  'api',
  'worker',
  'tasks',
  'health-manager',
  'housekeeping',
  'identity',
  'network',
  'key-manager',
  'authorizer',
];
for (const entry of entries) {
  allowed[`lambdas/${entry}/`] = [
    'lambdas/domain/',
    'lambdas/haproxy/',
    'lambdas/repositories/',
    'lambdas/drivers/',
    'lambdas/runtime/',
    'lambdas/controller/',
    `lambdas/${entry}/`,
    'amphora/agent-api.ts',
  ];
}

const ruleOf = (file: string) => Object.keys(allowed).find((prefix) => file.startsWith(prefix));
const told = ({ file, target }: Import) => `${file} -> ${target}`;

describe('the architecture', () => {
  test('reads every source file and finds their imports', () => {
    expect(sources.length).toBeGreaterThan(150);
    expect(imports.length).toBeGreaterThan(600);
    expect(sources.filter((file) => ruleOf(file) === undefined)).toEqual([]);
  });

  test('folders import only what they may', () => {
    const wrong = imports
      .filter(({ target }) => isOurs(target))
      .filter(
        ({ file, target }) => !allowed[ruleOf(file)!]!.some((prefix) => target === prefix || target.startsWith(prefix)),
      );
    expect(wrong.map(told)).toEqual([]);
  });

  test('the AWS SDK is named in drivers and the wiring of services alone', () => {
    const wrong = imports
      .filter(({ file, target }) => target.startsWith('@aws-sdk/') && file.startsWith('lambdas/'))
      .filter(({ file }) => !within('lambdas/drivers')(file) && !within('lambdas/runtime')(file));
    expect(wrong.map(told)).toEqual([]);
  });

  test('the domain knows no I/O, only pure built-ins and zod', () => {
    const pure = new Set(['node:net', 'zod', 'zod/mini']);
    const wrong = imports.filter(
      ({ file, target }) => within('lambdas/domain')(file) && !isOurs(target) && !pure.has(target),
    );
    expect(wrong.map(told)).toEqual([]);
  });

  test('the environment, the clock and random ids are read in runtime alone', () => {
    const words = /process\.env|Date\.now\(|new Date\(\)|randomUUID\(/;
    const wrong = sources
      .filter((file) => within('lambdas')(file) && !within('lambdas/runtime')(file))
      .filter((file) => words.test(readFileSync(join(root, file), 'utf8')));
    expect(wrong).toEqual([]);
  });

  test('middy is named in one file', () => {
    const files = new Set(imports.filter(({ target }) => target.startsWith('@middy/')).map(({ file }) => file));
    expect([...files]).toEqual(['lambdas/runtime/http/stack.ts']);
  });
});
