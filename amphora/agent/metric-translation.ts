// HAProxy's metrics in Octavia's words, line by line: a scrape of thousands of members is megabytes that are never in memory.
import { Transform, type TransformCallback } from 'node:stream';
import { isInternal } from './config-diff.ts';
import { type Family, families } from './metric-families.ts';

/** HAProxy's lines are far shorter: whoever sends this is something else. */
const lineLimit = 64 * 1024;

const wordsOfHelp: Record<string, string> = { frontend: 'listener', backend: 'pool', server: 'member' };
const inOctaviasWords = (help: string): string =>
  help.replaceAll(/\b(frontend|backend|server)(s?)\b/g, (_, word: string, plural) => wordsOfHelp[word]! + plural);

export class MetricTranslation extends Transform {
  #rest = '';
  /** Of the samples that follow, by HAProxy's name; undefined while they are of no interest. */
  #from = '';
  #family: Family | undefined;

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    // One byte, one character: a chunk may end anywhere.
    const text = this.#rest + chunk.toString('latin1');
    const end = text.lastIndexOf('\n');
    this.#rest = text.slice(end + 1);
    if (this.#rest.length > lineLimit) done(new Error('a line of metrics does not end'));
    else done(null, Buffer.from(this.#translated(text, end), 'latin1'));
  }

  override _flush(done: TransformCallback): void {
    done(this.#rest === '' ? null : new Error('metrics end within a line'));
  }

  #translated(text: string, end: number): string {
    let translated = '';
    for (let start = 0; start <= end; ) {
      const stop = text.indexOf('\n', start);
      translated += this.#line(text.slice(start, stop));
      start = stop + 1;
    }
    return translated;
  }

  #line(line: string): string {
    if (line.startsWith('#')) return this.#comment(line);
    if (this.#family === undefined || line === '') return '';
    const { name, label } = this.#family;
    const sample = line.slice(this.#from.length);
    if (label === undefined) return `${name}${sample}\n`;
    const proxy = sample.slice('{proxy="'.length);
    if (isInternal(proxy)) return '';
    // Names of proxies and members are ids: nothing in them looks like a label.
    return `${name}{${label}="${proxy.replace('",server="', '",member="')}\n`;
  }

  /** `# HELP <name> <text>` begins a family, `# TYPE <name> <type>` follows. */
  #comment(line: string): string {
    const [, word, from = '', text = ''] = /^# (HELP|TYPE) (\S+) (.*)$/.exec(line) ?? [];
    this.#from = from;
    this.#family = families.get(from);
    if (this.#family === undefined) return '';
    const { name, label } = this.#family;
    return `# ${word} ${name} ${word === 'HELP' && label ? inOctaviasWords(text) : text}\n`;
  }
}
