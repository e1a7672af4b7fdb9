// Renders a load balancer's UDP and SCTP listeners for keepalived, as Octavia's jinja templates of lvs do. Pure, and the same tree is
// always the same bytes, because amphorae compare digests.
import { portClass } from '../domain/listener.ts';
import { byAge, partsById } from '../domain/pool-parts.ts';
import { desiredTree, type Tree } from '../domain/tree.ts';
import { type Statement, statement } from './config.ts';
import { print, type RenderedConfiguration } from './print.ts';
import { virtualServers } from './virtual-server.ts';

/**
 * @returns undefined when there is nothing for keepalived to do
 * @throws Unrenderable naming the resource that keepalived cannot be told
 */
export function renderVirtualServers(tree: Tree): RenderedConfiguration | undefined {
  const { loadBalancer, listeners, ...below } = desiredTree(tree);
  if (loadBalancer.admin_state_up === false) return undefined;
  const parts = partsById(below);
  const served = listeners
    .filter(({ admin_state_up }) => admin_state_up !== false)
    .sort(byAge)
    .flatMap((listener): Statement[] => {
      const protocol = portClass(listener.protocol);
      if (protocol === 'TCP') return [];
      return virtualServers(loadBalancer, listener, protocol, parts.get(listener.default_pool_id ?? ''));
    });
  return served.length === 0 ? undefined : print([...global(), ...served]);
}

/** There are no scripts; should there be any, keepalived is not to run what others may write. */
const global = (): Statement[] => [statement(null, 'global_defs', [], [statement(null, 'enable_script_security')])];
