// `?dry_run=true` on a write, beyond Octavia: the write is judged as it would be (body, policy, quota, conflicts), nothing is
// changed, and the answer is what it would have been with the difference it would make to HAProxy's configuration.
import { loggingOf } from '../../controller/logging.ts';
import type { Tree } from '../../domain/tree.ts';
import { NoopEventDriver } from '../../drivers/events/event-driver.ts';
import { trialNetwork, unknownAddresses } from '../../drivers/network/trial.ts';
import { NoopQueueDriver } from '../../drivers/queue/queue-driver.ts';
import { TrialTable } from '../../drivers/table/trial.ts';
import { Unrenderable } from '../../haproxy/config.ts';
import { renderConfiguration } from '../../haproxy/render.ts';
import { partitionOf } from '../../repositories/keys.ts';
import { readTree } from '../../repositories/trees.ts';
import type { ApiRequest, ApiResponse, RouteHandler } from '../../runtime/http/request.ts';
import type { Services } from '../../runtime/services.ts';
import { lineDiff } from './line-diff.ts';

function rendered(tree: Tree | undefined, { config }: Services): string {
  if (tree === undefined || tree.loadBalancer.provisioning_status === 'PENDING_DELETE') return '';
  return renderConfiguration(tree, {
    amphora_id: tree.loadBalancer.amphora_ids[0] ?? 'amphora',
    hardStopAfterMs: config.hard_stop_after_ms,
    maxConnectionsDefault: config.connections_default,
    logging: loggingOf(config),
  }).text;
}

/** What amphorae would be told that they are not told now, and what HAProxy cannot be told at all. */
async function effectOn(loadBalancerId: string, services: Services, trial: TrialTable) {
  const [before, after] = [await readTree(services.table, loadBalancerId), await readTree(trial, loadBalancerId)];
  try {
    return {
      load_balancer_id: loadBalancerId,
      haproxy_diff: lineDiff(rendered(before, services), rendered(after, services)),
    };
  } catch (error) {
    if (!(error instanceof Unrenderable)) throw error;
    return { load_balancer_id: loadBalancerId, haproxy_diff: null, refused: error.message };
  }
}

const addressNames = /^(vip_.*|ip_address|port_id)$/;
/** Addresses and ports that only a reservation would tell are null. */
const withoutUnknown = (body: unknown): unknown =>
  JSON.parse(JSON.stringify(body ?? {}), (name, value) =>
    addressNames.test(name) && (unknownAddresses.includes(value) || value === '') ? null : value,
  );

const loadBalancersOf = (trial: TrialTable): string[] => {
  const prefix = partitionOf('');
  return trial.partitions.filter((pk) => pk.startsWith(prefix)).map((pk) => pk.slice(prefix.length));
};

/** Calls the handler with nothing it could change. */
export async function dryRun(request: ApiRequest, handler: RouteHandler): Promise<ApiResponse> {
  const { services } = request;
  const table = new TrialTable(services.table);
  const trial: Services = {
    ...services,
    table,
    queue: new NoopQueueDriver(),
    events: new NoopEventDriver(),
    network: trialNetwork(services.network),
  };
  const { status, body } = await handler({ ...request, services: trial });
  const effects = await Promise.all(loadBalancersOf(table).map((id) => effectOn(id, services, table)));
  return {
    status: 200,
    body: { ...(withoutUnknown(body) as object), dry_run: { would_answer: status, load_balancers: effects } },
  };
}
