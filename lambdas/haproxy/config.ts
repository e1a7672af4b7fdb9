// HAProxy's configuration as a value, before it is text: what Octavia keeps in jinja templates. Words of HAProxy come from
// template literals of this folder; everything else is an argument of a kind, and the printer says how that kind is written.

export type Argument =
  /** A word of HAProxy's own, or a name it is given by this folder: printed as it stands. */
  | { kind: 'word'; text: string }
  /** Any text: quoted. */
  | { kind: 'value'; text: string }
  /** Text where HAProxy expects a log format: quoted, and `%` means a percent sign. */
  | { kind: 'format'; text: string }
  /** Text and sample fetches of HAProxy's, where it expects a log format: quoted as one. */
  | { kind: 'template'; parts: TemplatePart[] }
  /** Any text of several lines, where HAProxy expects a string: each line is quoted. */
  | { kind: 'content'; text: string }
  /** Part of the name of a proxy or a server, which HAProxy allows few characters. */
  | { kind: 'name'; text: string; before?: string; after?: string }
  /** A sample fetch of HAProxy's with one argument of a user's. */
  | { kind: 'fetch'; word: string; text: string; converters?: string }
  | { kind: 'address'; address: string; port?: number }
  | { kind: 'cidr'; text: string };

/** A sample is a word of HAProxy's own: never a user's. */
export type TemplatePart = { text: string } | { sample: string };

export interface Line {
  /** Id of the resource that the line stands for; null where it is nobody's. */
  origin: string | null;
  arguments: Argument[];
}

export interface Section {
  /** `frontend <name>`, `global` and so on. */
  header: Line;
  lines: Line[];
}

export type Configuration = Section[];

export const value = (text: string): Argument => ({ kind: 'value', text });
export const format = (text: string): Argument => ({ kind: 'format', text });
/** `before` and `after` are words of HAProxy that touch the name. */
export const name = (text: string, before = '', after = ''): Argument => ({ kind: 'name', text, before, after });
export const template = (parts: TemplatePart[]): Argument => ({ kind: 'template', parts });
export const content = (text: string): Argument => ({ kind: 'content', text });
/** @param converters of HAProxy's, with the comma before them */
export const fetch = (word: string, text: string, converters = ''): Argument => ({
  kind: 'fetch',
  word,
  text,
  converters,
});
/** Without a port where HAProxy wants only the address, as in `addr`. */
export const address = (ipAddress: string, port?: number): Argument => ({ kind: 'address', address: ipAddress, port });
export const cidr = (text: string): Argument => ({ kind: 'cidr', text });

/**
 * Arguments from a template: its literal text is words, each hole is one argument. A string cannot fill a hole, so that none
 * becomes a word by mistake.
 */
export function words(literals: TemplateStringsArray, ...holes: (Argument | number)[]): Argument[] {
  const line: Argument[] = [];
  ownWords(literals).forEach((own, index) => {
    line.push(...own);
    if (index < holes.length) line.push(filled(holes[index]!));
  });
  return line;
}

/** Templates are constants, and one may be filled in for each of thousands of members: each is taken apart once. */
const takenApart = new WeakMap<TemplateStringsArray, Argument[][]>();

function ownWords(literals: TemplateStringsArray): Argument[][] {
  const known = takenApart.get(literals);
  if (known) return known;
  const split = (literal: string) => literal.split(' ').filter((text) => text !== '');
  const own = literals.map((literal) => split(literal).map((text): Argument => ({ kind: 'word', text })));
  takenApart.set(literals, own);
  return own;
}

const filled = (hole: Argument | number): Argument =>
  typeof hole === 'number' ? { kind: 'word', text: String(hole) } : hole;

/** The lines of one resource. */
export const linesOf = (origin: string | null, ...lines: Argument[][]): Line[] =>
  lines.map((line) => ({ origin, arguments: line }));

export const section = (origin: string | null, header: Argument[], lines: Line[]): Section => ({
  header: { origin, arguments: header },
  lines,
});

/** A resource has something that no configuration can say. */
export class Unrenderable extends Error {
  override readonly name = 'Unrenderable';
  readonly resource_id: string | null;
  constructor(resourceId: string | null, message: string, options?: ErrorOptions) {
    super(message, options);
    this.resource_id = resourceId;
  }
}

/** HAProxy's word for one of Octavia's. @throws Unrenderable when there is none */
export function wordFor<T>(choices: Record<string, T>, wanted: string, resourceId: string): T {
  if (Object.hasOwn(choices, wanted)) return choices[wanted]!;
  throw new Unrenderable(resourceId, `HAProxy has nothing for ${JSON.stringify(wanted)}`);
}
