// Who is left out of a configuration because HAProxy cannot be told of it or does not take it, and in which shape the rest is rendered.
import type { ConfigurationRejected } from '../../amphora/agent-api.ts';
import { DriverError } from '../domain/errors.ts';
import { isPending } from '../domain/statuses.ts';
import { type ChildRow, childrenOf, type Tree } from '../domain/tree.ts';

/** What was refused is rendered as it was before its change; refused so too, it is out. */
type Stage = 'as before' | 'out';
export type Stages = ReadonlyMap<string, Stage>;

/** Written itself, and not only beside something else. Without last_good it was in ERROR from the start. */
const hasOwnChange = ({ provisioning_status, last_good }: ChildRow): boolean =>
  provisioning_status === 'PENDING_CREATE' ||
  (provisioning_status === 'PENDING_UPDATE' && (last_good === undefined || Object.keys(last_good).length > 0));

export class Refusals {
  /** By id of the child: why it was refused first. */
  readonly reasons = new Map<string, string>();
  #stages = new Map<string, Stage>();

  /** As it is now: amphorae answer beside each other, and each answer is judged by what was rendered for it. */
  get stages(): Stages {
    return new Map(this.#stages);
  }

  /** @param rendered the stages that the refused text was rendered with @returns false when the child was out already */
  refuse(id: string, reason: string, rendered: Stages): boolean {
    if (rendered.get(id) === 'out') return false;
    this.#stages.set(id, rendered.has(id) ? 'out' : 'as before');
    if (!this.reasons.has(id)) this.reasons.set(id, reason);
    return true;
  }
}

/** The tree with what was refused marked so. */
export function withRefused(tree: Tree, stages: Stages): Tree {
  if (stages.size === 0) return tree;
  const mark = <R extends ChildRow>(rows: R[]): R[] =>
    rows.map((row) => {
      const stage = stages.get(row.id);
      if (stage === undefined) return row;
      // Whoever is refused as it was before any change has nothing to go back to either.
      const last_good = stage === 'as before' && hasOwnChange(row) ? row.last_good : undefined;
      return { ...row, provisioning_status: 'ERROR', last_good };
    });
  return {
    ...tree,
    listeners: mark(tree.listeners),
    pools: mark(tree.pools),
    healthMonitors: mark(tree.healthMonitors),
    l7Policies: mark(tree.l7Policies),
    l7Rules: mark(tree.l7Rules),
    members: mark(tree.members),
  };
}

const isOfTls = /ssl|tls|cipher|alpn|cert|\b(?:crt|ca|crl)-/i;

/** A member's line says of TLS what its pool has, and nothing of its own. */
function culprits(tree: Tree): (id: string, message: string) => string {
  const pools = new Map(tree.members.map((member) => [member.id, member.pool_id]));
  return (id, message) => (isOfTls.test(message) ? (pools.get(id) ?? id) : id);
}

/**
 * Whom a refusal is put down to: the resources of the lines named; when none is named, everything that is new.
 * @param stages that the refused text was rendered with
 * @returns reasons by id
 * @throws DriverError when there is nobody left to blame
 */
export function blame(
  tree: Tree,
  origins: (string | null)[],
  rejection: ConfigurationRejected,
  stages: Stages,
): Map<string, string> {
  const rows = new Map(childrenOf(tree).map(({ row }) => [row.id, row]));
  const blamed = new Map<string, string>();
  const culprit = culprits(tree);
  for (const { line, message } of rejection.lines) {
    const origin = origins[line - 1];
    const id = origin && culprit(origin, message);
    if (id && rows.has(id) && stages.get(id) !== 'out') blamed.set(id, message);
  }
  // Of a rule that cannot be read HAProxy also says that its policy's line knows no such rule: that is not the policy's fault.
  for (const [id, message] of blamed) {
    if ([...blamed.keys()].some((other) => other !== id && message.includes(other))) blamed.delete(id);
  }
  if (blamed.size > 0) return blamed;
  const news = [...rows.values()].filter(
    (row) => hasOwnChange(row) && isPending(row.provisioning_status) && !stages.has(row.id),
  );
  if (news.length === 0) throw new DriverError(`the amphora refuses its configuration: ${rejection.message}`);
  return new Map(news.map((row) => [row.id, rejection.message]));
}
