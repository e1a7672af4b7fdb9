// Bundles one Lambda function: its entry file with all it imports, what is imported lazily in files of its own.
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildSync, type Metafile } from 'esbuild';

export const root = fileURLToPath(new URL('../..', import.meta.url));

/** Handler of every bundle, as Lambda spells it. */
export const bundleHandler = 'index.handler';

/** CommonJS parts of the SDK ask for require; the name is long because a minified one of the bundle would collide with a short. */
const requireForCommonJs =
  "import{createRequire as octaviaBundleCreateRequire}from'node:module';const require=octaviaBundleCreateRequire(import.meta.url);";

/** @param entry under lambdas/ @param outdir is made */
export function bundle(entry: string, outdir: string): Metafile {
  const { metafile } = buildSync({
    absWorkingDir: root,
    entryPoints: { index: join(root, 'lambdas', entry) },
    outdir,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    splitting: true,
    chunkNames: '[name]-[hash]',
    platform: 'node',
    target: 'node24',
    format: 'esm',
    minify: true,
    sourcemap: false,
    legalComments: 'none',
    mainFields: ['module', 'main'],
    banner: { js: requireForCommonJs },
    metafile: true,
    logLevel: 'warning',
  });
  return metafile;
}
