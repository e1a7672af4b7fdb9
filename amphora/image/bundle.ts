// A program of the amphora as one file, which Node runs without anything beside it.
import { chmodSync, renameSync } from 'node:fs';

/** @param outfile is whole or not there */
export async function bundleProgram(entry: string, outfile: string): Promise<void> {
  // Only who makes a bundle loads it.
  const { build, stop } = await import('esbuild');
  const half = `${outfile}.${process.pid}`;
  await build({
    entryPoints: [entry],
    outfile: half,
    bundle: true,
    platform: 'node',
    target: 'node24',
    format: 'esm',
    minify: true,
    legalComments: 'none',
    mainFields: ['module', 'main'],
    // CommonJS parts of the SDK ask for require; a long name cannot meet a minified one.
    banner: {
      js: "import{createRequire as octaviaAgentRequire}from'node:module';const require=octaviaAgentRequire(import.meta.url);",
    },
  });
  // What is written here is nobody's secret, whatever the umask.
  chmodSync(half, 0o644);
  renameSync(half, outfile);
  await stop();
}
