// Bundles one Lambda function: its entry file with all it imports, what is imported lazily in files of its own.
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildSync, type Metafile } from 'esbuild';
import type { FunctionSpec } from '../functions.ts';

export const root = fileURLToPath(new URL('../..', import.meta.url));

/** Handler of every bundle, as Lambda spells it. */
export const bundleHandler = 'index.handler';

/** CommonJS parts of the SDK ask for require; the name is long because a minified one of the bundle would collide with a short. */
const requireForCommonJs =
  "import{createRequire as octaviaBundleCreateRequire}from'node:module';const require=octaviaBundleCreateRequire(import.meta.url);";

const driver = (file: string) => join(root, 'lambdas', 'drivers', file);

/** Drivers that are loaded when they are first called. Who has no permission for what one does has no use for its code either. */
const unusedBy = ({
  sends,
  publishes,
  starts,
  describesFlows,
  certifies,
  readsSecrets,
  readsAdminSecret,
  putsObjects,
  machines,
  vips,
  describesInstances,
}: FunctionSpec): string[] => [
  ...(sends ? [] : [driver('queue/sqs.ts'), '@aws-sdk/client-sqs']),
  ...(publishes ? [] : [driver('events/eventbridge.ts'), '@aws-sdk/client-eventbridge']),
  ...(starts || describesFlows ? [] : [driver('flows/step-functions.ts'), '@aws-sdk/client-sfn']),
  ...(readsSecrets ? [] : [driver('certificates/secrets-manager.ts')]),
  ...(readsAdminSecret ? [] : [driver('secrets/secret-text.ts')]),
  ...(readsSecrets || readsAdminSecret ? [] : ['@aws-sdk/client-secrets-manager']),
  ...(certifies ? [] : [driver('certificates/local-authority.ts')]),
  ...(putsObjects ? [] : [driver('objects/s3.ts')]),
  ...(machines ? [] : [join(root, 'lambdas', 'runtime', 'ec2-compute.ts')]),
  ...(vips ? [] : [join(root, 'lambdas', 'runtime', 'vpc-network.ts')]),
  ...(vips && vips !== 'knows' ? [] : [driver('network/vpc-side.ts')]),
  ...(describesInstances ? [] : [driver('compute/ec2-instances.ts')]),
  ...(machines || (vips && vips !== 'knows') || describesInstances ? [] : ['@aws-sdk/client-ec2']),
];

/**
 * Lambda gives every function its credentials in the environment, where the SDK looks first. What it would try after that is
 * loaded when it comes to it, which is never; bundled, clients of STS and SSO and their XML would be in the part that always is.
 */
const unreachedCredentials = [
  '@aws-sdk/credential-provider-http',
  '@aws-sdk/credential-provider-ini',
  '@aws-sdk/credential-provider-process',
  '@aws-sdk/credential-provider-sso',
  '@aws-sdk/credential-provider-web-identity',
  '@smithy/credential-provider-imds',
];

/** @param outdir is made */
export function bundle(spec: FunctionSpec, outdir: string): Metafile {
  const { metafile } = buildSync({
    absWorkingDir: root,
    entryPoints: { index: join(root, 'lambdas', spec.entry) },
    outdir,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    external: [...unusedBy(spec), ...unreachedCredentials, '@smithy/core/event-streams'],
    alias: { 'mnemonist/lru-cache': join(root, 'infra', 'constructs', 'lru-cache.ts') },
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
