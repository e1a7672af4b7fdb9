// Renders a load balancer for HAProxy, as Octavia's jinja templates do: desired tree, then configuration, then text. Pure, and
// the same tree is always the same bytes, because amphorae compare digests.
import { type L7PolicyRow, takesEffect } from '../domain/l7-policy.ts';
import type { L7RuleRow } from '../domain/l7-rule.ts';
import { type ListenerRow, portClass } from '../domain/listener.ts';
import { byAge, type PoolParts, partsById } from '../domain/pool-parts.ts';
import { desiredTree, type Tree } from '../domain/tree.ts';
import { backend } from './backend.ts';
import { type Configuration, section, words } from './config.ts';
import { type Certificates, filesOf, type PemFile } from './files.ts';
import { frontend } from './frontend.ts';
import { globalCheckLines } from './health-check.ts';
import type { PolicyParts } from './l7.ts';
import { rings } from './logging.ts';
import { metricsSections } from './metrics.ts';
import { peersSections } from './peers.ts';
import { type PrintedConfiguration, print } from './print.ts';
import { processSections, type RenderOptions } from './process.ts';
import { rateTables } from './rate-limit.ts';
import { endsTls, tlsProcessLines } from './tls.ts';

export interface RenderedConfiguration extends PrintedConfiguration {
  /** Contents of the files that the text names. */
  files: PemFile[];
}

/**
 * @param certificates of the listeners and pools that `referencesOf` names
 * @throws Unrenderable naming the resource that HAProxy cannot be told
 */
export function renderConfiguration(
  tree: Tree,
  options: RenderOptions,
  certificates: Certificates = new Map(),
): RenderedConfiguration {
  const { configuration, files } = configurationOf(tree, options, certificates);
  return { ...print(configuration), files };
}

function configurationOf(tree: Tree, options: RenderOptions, certificates: Certificates) {
  const { loadBalancer, listeners, l7Policies, l7Rules, ...below } = desiredTree(tree);
  const isUp = loadBalancer.admin_state_up !== false;
  const served = isUp ? listeners.filter(isServed).sort(byAge) : [];
  const parts = partsById(below);
  const rendered = new Set<PoolParts>();
  const proxies: Configuration = served.flatMap((listener) => {
    const byDefault = parts.get(listener.default_pool_id ?? '');
    const policies = policiesOf(listener, l7Policies, l7Rules, parts);
    const used = new Set([
      byDefault,
      ...policies.filter(isAsked).map(({ policy }) => parts.get(policy.redirect_pool_id ?? '')),
    ]);
    // First, so that what cannot be served is put down to the listener and not to its pools.
    const front = frontend(loadBalancer, listener, byDefault?.pool, options, policies);
    const backends = [...used].filter((one) => one !== undefined);
    for (const one of backends) rendered.add(one);
    return [front, ...rateTables(listener), ...backends.map((one) => backend(listener, one, options))];
  });
  const used = [...rendered];
  const pools = used.map(({ pool }) => pool).filter((pool) => pool.tls_enabled);
  const encrypted = served.filter(endsTls);
  const { manifest, files } = filesOf(encrypted, pools, certificates);
  const hasFiles = manifest.length > 0;
  const named = hasFiles ? [section(null, words`# Files by slot, with the SHA-256 of their contents`, manifest)] : [];
  const peers = peersSections(loadBalancer, used, options);
  const more = [...globalCheckLines(used), ...peers.global, ...(hasFiles ? tlsProcessLines(encrypted) : [])];
  const process = [...processSections(served, options, more), ...rings(loadBalancer, options.logging)];
  return { configuration: [...named, ...process, ...peers.sections, ...proxies, ...metricsSections(served)], files };
}

/** Datagrams and SCTP are passed on by the kernel. */
const isServed = ({ admin_state_up, protocol }: ListenerRow): boolean =>
  admin_state_up !== false && portClass(protocol) === 'TCP';

const isAsked = ({ policy, rules }: PolicyParts): boolean => takesEffect(policy) && rules.length > 0;

/** Policies of a listener by position, with the rules that are enabled. */
function policiesOf(
  listener: ListenerRow,
  policies: L7PolicyRow[],
  rules: L7RuleRow[],
  pools: Map<string, PoolParts>,
): PolicyParts[] {
  const enabled = Map.groupBy(
    rules.filter((rule) => rule.admin_state_up !== false).sort(byAge),
    (rule) => rule.l7policy_id,
  );
  return policies
    .filter((policy) => policy.listener_id === listener.id)
    .toSorted((a, b) => a.position - b.position)
    .map((policy) => ({
      policy,
      rules: enabled.get(policy.id) ?? [],
      pool: pools.get(policy.redirect_pool_id ?? '')?.pool,
    }));
}
