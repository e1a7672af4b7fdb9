// Health manager, news from the compute service: a machine that stopped is not waited for.
import { requestFailover } from '../controller/failover.ts';
import { amphoraeOn } from '../domain/host.ts';
import { readAmphora } from '../repositories/amphorae.ts';
import { noteEnded } from '../repositories/health.ts';
import { readHost } from '../repositories/hosts.ts';
import type { Services } from '../runtime/services.ts';
import { type MachineNotice, takeInNotice } from './machine-notice.ts';
import { lookForNews } from './news.ts';

/** EventBridge's `EC2 Instance State-change Notification`, of which only this is read. */
export interface StateChange {
  /** A machine that amphorae share is told by the host's id. */
  detail: { 'instance-id': string; state: string; amphora_id?: string; host_id?: string };
}

/** Whatever EC2 and AWS Health tell of machines. */
export type ComputeEvent = StateChange | MachineNotice;

/** A notice has no state: the machine still runs. */
const isNotice = (event: ComputeEvent): event is MachineNotice => !('state' in event.detail);

const ended = new Set(['stopping', 'stopped', 'shutting-down', 'terminated']);

/** All that the machine carried. */
async function carriedBy(services: Services, detail: StateChange['detail']): Promise<string[]> {
  if (detail.host_id === undefined) {
    const amphoraId = detail.amphora_id ?? (await services.compute.get(detail['instance-id'])).amphora_id;
    // Every machine of the account is told of, and most are no amphorae.
    return amphoraId === '' ? [] : [amphoraId];
  }
  const host = await readHost(services.table, detail.host_id);
  return host === undefined ? [] : amphoraeOn(host);
}

type News = 'noted' | 'asked for' | 'known';

async function noteEndOf(services: Services, amphoraId: string): Promise<News> {
  // We end it ourselves: nobody is to take its place.
  if ((await readAmphora(services.table, amphoraId))?.status === 'PENDING_DELETE') return 'known';
  if (await noteEnded(services, amphoraId)) return 'noted';
  // Nobody expects to hear of it: a spare at most, which is ended.
  return (await requestFailover(services, amphoraId)) ? 'asked for' : 'known';
}

/**
 * A zone that goes out is hundreds of these: each is written down, and then all that is known is looked at as by any scan, with its storm guard
 * and its pace. What is held back the next scans find.
 */
export const computeEventHandler =
  (services: Services) =>
  async (event: ComputeEvent): Promise<{ failed_over: number }> => {
    if (isNotice(event)) return { failed_over: await takeInNotice(services, event) };
    const { detail } = event;
    if (!ended.has(detail.state)) return { failed_over: 0 };
    const news: News[] = [];
    for (const id of await carriedBy(services, detail)) news.push(await noteEndOf(services, id));
    const asked = news.filter((one) => one === 'asked for').length;
    return { failed_over: asked + (news.includes('noted') ? await lookForNews(services) : 0) };
  };
