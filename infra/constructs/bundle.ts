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

export interface BundleSizes {
  /** Of the files that importing the handler reads. */
  loadedBytes: number;
  /** Of all files, those included that are read when they are needed. */
  totalBytes: number;
}

export function sizesOf({ outputs }: Metafile): BundleSizes {
  const loaded = new Set<string>();
  const load = (file: string): void => {
    if (loaded.has(file) || !outputs[file]) return;
    loaded.add(file);
    for (const { path, kind } of outputs[file].imports) if (kind === 'import-statement') load(path);
  };
  load(Object.keys(outputs).find((file) => outputs[file]!.entryPoint !== undefined && file.endsWith('/index.mjs'))!);
  const sum = (files: Iterable<string>) => [...files].reduce((bytes, file) => bytes + outputs[file]!.bytes, 0);
  return { loadedBytes: sum(loaded), totalBytes: sum(Object.keys(outputs)) };
}
