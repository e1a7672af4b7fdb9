// The bundles of the Lambda functions, made as the deployment makes them.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type BundleSizes, bundle, sizesOf } from '../../infra/constructs/bundle.ts';
import { type FunctionName, functionNames, specOf } from '../../infra/functions.ts';

export { type FunctionName, functionNames };

export interface Bundled extends BundleSizes {
  /** The module Lambda imports. */
  file: string;
}

export interface Bundles {
  directory: string;
  make(name: FunctionName): Bundled;
  remove(): void;
}

export function bundlesInTemporaryDirectory(): Bundles {
  const directory = mkdtempSync(join(tmpdir(), 'octavia-bundles-'));
  return {
    directory,
    make(name) {
      const outdir = join(directory, name);
      return { ...sizesOf(bundle(specOf(name), outdir)), file: join(outdir, 'index.mjs') };
    },
    remove: () => rmSync(directory, { recursive: true, force: true }),
  };
}
