// `node amphora/image/make-root.ts [--suite bookworm|trixie] [--mirror URL] [--cache DIRECTORY]`: prints where the root filesystem of an amphora is. As root.
import { parseArgs } from 'node:util';
import { amphoraRoot, cacheDirectory } from './root-filesystem.ts';

const { suite, mirror, cache } = parseArgs({
  options: {
    suite: { type: 'string', default: 'bookworm' },
    mirror: { type: 'string', default: 'http://deb.debian.org/debian' },
    cache: { type: 'string', default: cacheDirectory(process.env) },
  },
}).values;
const root = await amphoraRoot({ suite: suite === 'trixie' ? 'trixie' : 'bookworm', mirror, cache });
process.stdout.write(`${root}\n`);
