// The part of oslo.policy that Octavia's policies are written in: rules by name, each an expression over the caller's roles and the
// project of what is asked for. `and` binds closer than `or`.
//   role:x  rule:name  project_id:%(project_id)s  user_id:x  project_id:x  @ (everybody)  ! (nobody)  not  and  or  ( )
import type { Caller } from '../../runtime/http/request.ts';

export interface Target {
  project_id: string | null;
}
type Check = (caller: Caller, target: Target) => boolean;

/** A rule that says nothing lets everybody in, as in oslo.policy. */
const everybody: Check = () => true;

const tokens = (text: string): string[] => text.match(/\(|\)(?!s)|(?:%\(\w+\)s|[^\s()])+/g) ?? [];

/** What a policy says, so that a mistake in it is found when it is read and not by a caller. */
class Reader {
  readonly #words: string[];
  readonly #text: string;
  readonly #rule: (name: string) => Check;
  #at = 0;

  constructor(text: string, rule: (name: string) => Check) {
    this.#text = text;
    this.#words = tokens(text);
    this.#rule = rule;
  }

  whole(): Check {
    if (this.#words.length === 0) return everybody;
    const check = this.#either();
    if (this.#at < this.#words.length) throw this.#wrong();
    return check;
  }

  #wrong = () => new Error(`policy rule "${this.#text}" cannot be read at "${this.#words[this.#at] ?? 'its end'}"`);

  #takes(word: string): boolean {
    if (this.#words[this.#at]?.toLowerCase() !== word) return false;
    this.#at++;
    return true;
  }

  #either(): Check {
    const checks = [this.#both()];
    while (this.#takes('or')) checks.push(this.#both());
    return (caller, target) => checks.some((check) => check(caller, target));
  }

  #both(): Check {
    const checks = [this.#one()];
    while (this.#takes('and')) checks.push(this.#one());
    return (caller, target) => checks.every((check) => check(caller, target));
  }

  #one(): Check {
    if (this.#takes('not')) {
      const check = this.#one();
      return (caller, target) => !check(caller, target);
    }
    if (this.#takes('(')) {
      const check = this.#either();
      if (!this.#takes(')')) throw this.#wrong();
      return check;
    }
    return this.#named();
  }

  #named(): Check {
    const word = this.#words[this.#at] ?? '';
    if (word === '@' || word === '!') {
      this.#at++;
      return () => word === '@';
    }
    const [, kind, value = ''] = /^(\w+):(.+)$/.exec(word) ?? [];
    const check = kind === undefined ? undefined : this.#checkOf(kind, value);
    if (check === undefined) throw this.#wrong();
    this.#at++;
    return check;
  }

  #checkOf(kind: string, value: string): Check | undefined {
    if (kind === 'role') return ({ roles }) => roles.some((role) => role.toLowerCase() === value.toLowerCase());
    if (kind === 'rule') return this.#rule(value);
    if (kind === 'user_id') return ({ user_id }) => user_id === value;
    if (kind !== 'project_id') return undefined;
    if (value === '%(project_id)s')
      return ({ project_id }, target) => project_id !== null && project_id === target.project_id;
    return ({ project_id }) => project_id === value;
  }
}

/** Whether a rule lets a caller at what belongs to a project. */
export type Enforcer = (rule: string, caller: Caller, target: Target) => boolean;

/** @throws Error that names a rule that cannot be read, is not there, or refers to itself */
export function enforcerOf(rules: ReadonlyMap<string, string>): Enforcer {
  const checks = new Map<string, Check>();
  const reading = new Set<string>();
  const checkOf = (name: string): Check => {
    const known = checks.get(name);
    if (known) return known;
    const text = rules.get(name);
    if (text === undefined) throw new Error(`policy rule "${name}" is not there`);
    if (reading.has(name)) throw new Error(`policy rule "${name}" refers to itself`);
    reading.add(name);
    const check = new Reader(text, checkOf).whole();
    checks.set(name, check);
    reading.delete(name);
    return check;
  };
  for (const name of rules.keys()) checkOf(name);
  return (rule, caller, target) => checks.get(rule)?.(caller, target) ?? false;
}
