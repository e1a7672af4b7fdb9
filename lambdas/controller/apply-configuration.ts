// Renders a load balancer and pushes it to amphorae: the heart of Octavia's controller worker, used by the worker for changes and
// by the flows for new amphorae. What an amphora refuses is put down to the resource that brought it, and left out.
import { type Tree, treeAsWanted } from '../domain/tree.ts';
import { Unrenderable } from '../domain/unrenderable.ts';
import { type AmphoraAddress, ConfigurationRefused } from '../drivers/amphora/amphora-driver.ts';
import type { Certificates } from '../haproxy/files.ts';
import type { Peer } from '../haproxy/peers.ts';
import type { Partner } from '../haproxy/process.ts';
import { writeOutIntents } from '../repositories/intents.ts';
import { readTree } from '../repositories/trees.ts';
import type { Services } from '../runtime/services.ts';
import { renderAmphora } from './amphora-configuration.ts';
import { CertificateReader } from './certificates.ts';
import { loggingOf } from './logging.ts';
import { partnersOf, peersOf } from './peers.ts';
import { blame, Refusals, type Stages, withRefused } from './refusals.ts';

export interface Applied {
  /** As it was rendered. */
  tree: Tree;
  generation: number;
  /** Children that were left out, with the reason. */
  refused: Map<string, string>;
}

/** One try: what is rendered in it for every amphora. */
interface Round {
  /** As accepted. */
  tree: Tree;
  /** Without what was refused in earlier rounds. */
  wished: Tree;
  certificates: Certificates;
  peers: (amphoraId: string) => Peer[];
  partner: (amphoraId: string) => Partner | undefined;
  /** Of those who were; two amphorae may refuse the same in this round. */
  stages: Stages;
}

/** What cannot be told at all, or whose certificates are not there, is refused before an amphora sees it. */
function rendered(services: Services, round: Round, amphora: AmphoraAddress, refusals: Refusals) {
  const { hard_stop_after_ms: hardStopAfterMs, connections_default: maxConnectionsDefault } = services.config;
  const logging = loggingOf(services.config);
  const peers = round.peers(amphora.id);
  const partner = round.partner(amphora.id);
  const options = {
    amphora_id: amphora.id,
    peers,
    ...(partner && { partner }),
    hardStopAfterMs,
    maxConnectionsDefault,
    logging,
  };
  try {
    return renderAmphora(round.wished, options, round.certificates);
  } catch (error) {
    if (!(error instanceof Unrenderable)) throw error;
    // With nothing behind it, a control plane takes what no HAProxy could be told.
    if (services.config.amphora_driver === 'noop') return { text: '', origins: [], files: [] };
    if (error.resource_id === null || !refusals.refuse(error.resource_id, error.message, round.stages)) throw error;
    return undefined;
  }
}

/** @returns false when somebody was refused, so that it has to be rendered again */
async function push(services: Services, round: Round, amphora: AmphoraAddress, refusals: Refusals): Promise<boolean> {
  const configuration = rendered(services, round, amphora, refusals);
  if (configuration === undefined) return false;
  const { tree } = round;
  const { id, generation } = tree.loadBalancer;
  const { text, origins, files } = configuration;
  try {
    await services.amphora.pushConfiguration(amphora, { load_balancer_id: id, generation, text, files });
    return true;
  } catch (error) {
    if (!(error instanceof ConfigurationRefused)) throw error;
    const blamed = blame(tree, origins, error.rejection, round.stages);
    for (const [child, reason] of blamed) refusals.refuse(child, reason, round.stages);
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
  const refusals = new Refusals();
  const reader = new CertificateReader(services);
  const [peers, partner] = [await peersOf(services, tree), await partnersOf(services, tree)];
  // Each round somebody more is refused, so this ends; amphorae that took an earlier round get the last one too.
  for (let isTaken = false; !isTaken; ) {
    const { stages } = refusals;
    const wished = withRefused(tree, stages);
    const round = { tree, wished, stages, peers, partner, certificates: await reader.read(wished) };
    const taken = await Promise.all(targets.map((amphora) => push(services, round, amphora, refusals)));
    isTaken = taken.every(Boolean);
  }
  return { tree, generation: tree.loadBalancer.generation, refused: refusals.reasons };
}

/** The tree after accepted batches were written out: those too that were accepted meanwhile, as its generation counts them. */
async function readWhole(services: Services, loadBalancerId: string): Promise<Tree | undefined> {
  for (;;) {
    const tree = await readTree(services.table, loadBalancerId);
    if (tree === undefined || tree.loadBalancer.intents.length === 0) return tree && treeAsWanted(tree);
    await writeOutIntents(services, loadBalancerId);
  }
}
