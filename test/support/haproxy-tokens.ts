// Reads a HAProxy configuration as its manual says it is read ("Quoting and escaping", "Environment variables"), and not as our printer
// writes it: a second opinion on what a text means.

/** HAProxy would end the line, or start a comment, or put something else in this place. */
export class NotOneMeaning extends Error {
  override readonly name = 'NotOneMeaning';
}

const escapes: Record<string, string> = { n: '\n', r: '\r', t: '\t' };

class LineReader {
  readonly words: string[] = [];
  readonly #line: string;
  #at = 0;
  #word = '';
  #isInWord = false;

  constructor(line: string) {
    this.#line = line;
  }

  read(): string[] {
    while (this.#at < this.#line.length) {
      const character = this.#line[this.#at]!;
      if (character === '#') break;
      if (character !== ' ' && character !== '\t') this.#readPart(character);
      else {
        this.#endWord();
        this.#at++;
      }
    }
    this.#endWord();
    return this.words;
  }

  #readPart(character: string): void {
    this.#isInWord = true;
    if (character === "'") this.#strong();
    else if (character === '"') this.#weak();
    else if (character === '\\') this.#escaped(/[\s\S]/);
    else this.#take();
  }

  #take(): void {
    this.#word += this.#line[this.#at++];
  }

  /** Between single quotes nothing has a meaning but the next one. */
  #strong(): void {
    const end = this.#line.indexOf("'", this.#at + 1);
    if (end === -1) throw new NotOneMeaning('a single quote that nothing closes');
    this.#word += this.#line.slice(this.#at + 1, end);
    this.#at = end + 1;
  }

  /** Between double quotes a backslash protects few characters, and a dollar names a variable of the environment. */
  #weak(): void {
    this.#at++;
    while (this.#line[this.#at] !== '"') {
      const character = this.#line[this.#at];
      if (character === undefined) throw new NotOneMeaning('a double quote that nothing closes');
      if (character === '$') throw new NotOneMeaning('a variable of the environment');
      if (character === '\\') this.#escaped(/["\\$']/);
      else this.#take();
    }
    this.#at++;
  }

  #escaped(meant: RegExp): void {
    const next = this.#line[this.#at + 1];
    if (next === undefined) throw new NotOneMeaning('a backslash at the end of the line');
    const [, code] = /^\\x([0-9a-fA-F]{2})/.exec(this.#line.slice(this.#at)) ?? [];
    if (code !== undefined) this.#word += String.fromCharCode(Number.parseInt(code, 16));
    else if (meant.test(next)) this.#word += escapes[next] ?? next;
    else this.#word += `\\${next}`;
    this.#at += code === undefined ? 2 : 4;
  }

  #endWord(): void {
    if (this.#isInWord) this.words.push(this.#word);
    this.#word = '';
    this.#isInWord = false;
  }
}

/** The words of each line that has any. @throws NotOneMeaning */
export function wordsOf(text: string): string[][] {
  if (/[\0\r]/.test(text)) throw new NotOneMeaning('a NUL or a carriage return');
  return text
    .split('\n')
    .map((line) => new LineReader(line).read())
    .filter((words) => words.length > 0);
}

/** The commands that HAProxy's command line makes of what is written to it: it splits at line ends and at semicolons. */
export function commandsOf(written: string): string[][] {
  const parts = written.split('\n').flatMap((line) => line.split(/(?<!\\);/));
  return parts.map((part) => new LineReader(part).read()).filter((words) => words.length > 0);
}
