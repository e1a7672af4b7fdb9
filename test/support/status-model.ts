// What a control plane ought to have after any calls: which resources there are, in which order, and what their load balancers wait
// for. It knows Octavia's rules of acceptance and nothing of rows, messages or flows.
import assert from 'node:assert/strict';

export type Kind = 'loadbalancer' | 'listener' | 'pool' | 'member' | 'healthmonitor' | 'l7policy' | 'l7rule';

/** `unknown`: it was set going, and nobody waited for it. */
type Work = 'none' | 'update' | 'whole' | 'unknown';

export interface Node {
  kind: Kind;
  id: string;
  parent: Node | null;
  /** Of a listener its default pool, of an L7 policy the pool it sends to. */
  pool?: Node | undefined;
  /** Of a member. */
  address?: string;
}

interface Whole {
  work: Work;
  isGoing: boolean;
}

export class StatusModel {
  readonly isStrict: boolean;
  isHeld = false;
  readonly nodes = new Set<Node>();
  readonly gone: Node[] = [];
  readonly #wholes = new Map<Node, Whole>();

  constructor(isStrict: boolean) {
    this.isStrict = isStrict;
  }

  of(kind: Kind, parent?: Node): Node[] {
    return [...this.nodes].filter((node) => node.kind === kind && (parent === undefined || node.parent === parent));
  }

  /** One of a kind, by a random number. */
  pick(kind: Kind, number: number): Node | undefined {
    const all = this.of(kind);
    return all[number % all.length];
  }

  wholeOf(node: Node): Node {
    return node.parent === null ? node : this.wholeOf(node.parent);
  }

  #state(node: Node): Whole {
    return this.#wholes.get(this.wholeOf(node))!;
  }

  /** The answers a write below a load balancer may get. */
  answersToWrite(node: Node, success: number): number[] {
    const { work, isGoing } = this.#state(node);
    if (isGoing) return work === 'unknown' ? [404, 409] : [409];
    if (!this.isStrict || work === 'none') return [success];
    return work === 'unknown' ? [success, 409] : [409];
  }

  /** A failover waits for nothing but updates. */
  answersToFailover(loadBalancer: Node): number[] {
    const { work, isGoing } = this.#state(loadBalancer);
    if (isGoing) return this.answersToWrite(loadBalancer, 202);
    if (work === 'none' || (work === 'update' && !this.isStrict)) return [202];
    return work === 'unknown' ? [202, 409] : [409];
  }

  answersToDeletion(loadBalancer: Node, isCascade: boolean): number[] {
    const isRefused = !isCascade && this.of('listener', loadBalancer).length + this.of('pool', loadBalancer).length > 0;
    const answers = this.answersToWrite(loadBalancer, 204);
    return isRefused ? answers.map((status) => (status === 204 ? 400 : status)) : answers;
  }

  isPoolInUse(pool: Node): boolean {
    return this.of('l7policy').some((policy) => policy.pool === pool);
  }

  add(node: Node): void {
    this.nodes.add(node);
    if (node.parent === null) this.#wholes.set(node, { work: this.isHeld ? 'whole' : 'unknown', isGoing: false });
    else this.write(node);
  }

  write(node: Node, by: 'update' | 'whole' = 'update'): void {
    const state = this.#state(node);
    if (state.work === 'none' || state.work === 'update') state.work = this.isHeld ? by : 'unknown';
    if (!this.isHeld) state.work = 'unknown';
  }

  /** With everything below it. */
  remove(node: Node): void {
    if (node.parent === null) {
      this.write(node, 'whole');
      this.#state(node).isGoing = true;
      for (const child of [...this.nodes]) if (child.parent !== null && this.wholeOf(child) === node) this.#drop(child);
      return;
    }
    this.write(node);
    this.#drop(node);
  }

  #drop(node: Node): void {
    for (const child of [...this.nodes]) if (child.parent === node) this.#drop(child);
    for (const user of this.nodes) if (user.pool === node) user.pool = undefined;
    this.nodes.delete(node);
    this.gone.push(node);
  }

  /** The policies of a listener in the order of their positions, with this one where it was asked to be. */
  place(policy: Node, position: number): void {
    const others = this.of('l7policy', policy.parent!).filter((one) => one !== policy);
    const ordered = others.toSpliced(position - 1, 0, policy);
    for (const one of ordered) this.nodes.delete(one);
    for (const one of ordered) this.nodes.add(one);
  }

  release(): void {
    this.isHeld = false;
    for (const state of this.#wholes.values()) if (state.work !== 'none') state.work = 'unknown';
  }

  /** Everything that was asked for is done. */
  settle(): void {
    this.release();
    for (const [loadBalancer, state] of [...this.#wholes]) {
      state.work = 'none';
      if (!state.isGoing) continue;
      this.#drop(loadBalancer);
      this.#wholes.delete(loadBalancer);
    }
  }

  /** What the project uses, kinds it has none of left out. */
  counts(): Record<string, number> {
    const grouped = Map.groupBy(this.nodes, ({ kind }) => kind);
    return Object.fromEntries([...grouped].map(([kind, nodes]) => [kind, nodes.length]));
  }
}

export function assertAnswer(what: string, status: number, answers: number[], body: unknown): void {
  const said = `${what} was answered with ${status} instead of ${answers.join(' or ')}: ${JSON.stringify(body)}`;
  assert.ok(answers.includes(status), said);
}
