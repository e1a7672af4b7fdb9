// Renders a load balancer and pushes it to amphorae: the heart of Octavia's controller worker, used by the worker for changes and
// by the flows for new amphorae. What an amphora refuses is put down to the resource that brought it, and left out.
import type { ConfigurationRejected } from '../../amphora/agent-api.ts';
import { DriverError } from '../domain/errors.ts';
import { isPending } from '../domain/statuses.ts';
import { type ChildRow, childrenOf, type Tree, treeAsWanted } from '../domain/tree.ts';
import { type AmphoraAddress, ConfigurationRefused } from '../drivers/amphora/amphora-driver.ts';
import { Unrenderable } from '../haproxy/config.ts';
import { renderConfiguration } from '../haproxy/render.ts';
import { writeOutIntents } from '../repositories/intents.ts';
import { readTree } from '../repositories/trees.ts';
import type { Services } from '../runtime/services.ts';
import { loggingOf } from './logging.ts';

export interface Applied {
  /** As it was rendered. */
  tree: Tree;
  generation: number;
  /** Children that were left out, with the reason. */
  refused: Map<string, string>;
}

/** Written itself, and not only beside something else. Without last_good it was in ERROR from the start. */
const hasOwnChange = ({ provisioning_status, last_good }: ChildRow): boolean =>
  provisioning_status === 'PENDING_CREATE' ||
  (provisioning_status === 'PENDING_UPDATE' && (last_good === undefined || Object.keys(last_good).length > 0));

/** The tree with what was refused marked so: it is rendered as it was before, or not at all. */
function withRefused(tree: Tree, refused: Map<string, string>): Tree {
  if (refused.size === 0) return tree;
  const mark = <R extends ChildRow>(rows: R[]): R[] =>
    rows.map((row) => {
      if (!refused.has(row.id)) return row;
      // Whoever is refused as it was before any change has nothing to go back to either.
      return { ...row, provisioning_status: 'ERROR', last_good: hasOwnChange(row) ? row.last_good : undefined };
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

/**
 * Whom a refusal is put down to: the resources of the lines named; when none is named, everything that is new.
 * @throws DriverError when there is nobody left to blame
 */
function blame(
  tree: Tree,
  origins: (string | null)[],
  rejection: ConfigurationRejected,
  refused: Map<string, string>,
): Map<string, string> {
  const rows = new Map(childrenOf(tree).map(({ row }) => [row.id, row]));
  const blamed = new Map<string, string>();
  for (const { line, message } of rejection.lines) {
    const id = origins[line - 1];
    if (id && rows.has(id) && !refused.has(id)) blamed.set(id, message);
  }
  if (blamed.size > 0) return blamed;
  const news = [...rows.values()].filter(
    (row) => hasOwnChange(row) && isPending(row.provisioning_status) && !refused.has(row.id),
  );
  if (news.length === 0) throw new DriverError(`the amphora refuses its configuration: ${rejection.message}`);
  return new Map(news.map((row) => [row.id, rejection.message]));
}

/** What cannot be told to HAProxy at all is refused before an amphora sees it. */
function rendered(services: Services, tree: Tree, amphora: AmphoraAddress, refused: Map<string, string>) {
  const { hard_stop_after_ms: hardStopAfterMs, connections_default: maxConnectionsDefault } = services.config;
  try {
    return renderConfiguration(withRefused(tree, refused), {
      amphora_id: amphora.id,
      hardStopAfterMs,
      maxConnectionsDefault,
      logging: loggingOf(services.config),
    });
  } catch (error) {
    // With nothing behind it, a control plane takes what no HAProxy could be told.
    if (error instanceof Unrenderable && services.config.amphora_driver === 'noop') return { text: '', origins: [] };
    if (!(error instanceof Unrenderable) || error.resource_id === null || refused.has(error.resource_id)) throw error;
    refused.set(error.resource_id, error.message);
    return undefined;
  }
}

/** @returns false when somebody was refused, so that it has to be rendered again */
async function push(
  services: Services,
  tree: Tree,
  amphora: AmphoraAddress,
  refused: Map<string, string>,
): Promise<boolean> {
  const configuration = rendered(services, tree, amphora, refused);
  if (configuration === undefined) return false;
  const { id, generation } = tree.loadBalancer;
  try {
    await services.amphora.pushConfiguration(amphora, { load_balancer_id: id, generation, text: configuration.text });
    return true;
  } catch (error) {
    if (!(error instanceof ConfigurationRefused)) throw error;
    for (const [child, reason] of blame(tree, configuration.origins, error.rejection, refused))
      refused.set(child, reason);
    return false;
  }
}

/**
 * Brings the newest generation to the amphorae.
 * @returns undefined when there is no such load balancer any more
 * @throws NotReady when an amphora does not answer, StaleConfiguration when a newer generation is there already
 */
export async function applyConfiguration(
  services: Services,
  loadBalancerId: string,
  amphorae: (tree: Tree) => Promise<AmphoraAddress[]>,
): Promise<Applied | undefined> {
  const tree = await readWhole(services, loadBalancerId);
  if (tree === undefined) return undefined;
  const targets = await amphorae(tree);
  const refused = new Map<string, string>();
  // Each round somebody more is refused, so this ends; amphorae that took an earlier round get the last one too.
  for (let isTaken = false; !isTaken; ) {
    const taken = await Promise.all(targets.map((amphora) => push(services, tree, amphora, refused)));
    isTaken = taken.every(Boolean);
  }
  return { tree, generation: tree.loadBalancer.generation, refused };
}

/** The tree after accepted batches were written out. */
async function readWhole(services: Services, loadBalancerId: string): Promise<Tree | undefined> {
  const tree = await readTree(services.table, loadBalancerId);
  if (tree === undefined || tree.loadBalancer.intents.length === 0) return tree && treeAsWanted(tree);
  await writeOutIntents(services, loadBalancerId);
  const written = await readTree(services.table, loadBalancerId);
  return written && treeAsWanted(written);
}
