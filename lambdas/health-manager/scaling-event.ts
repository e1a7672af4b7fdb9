// Health manager, news of Auto Scaling groups: machines whose tags name pools become members when they are launched, and go before they end.
import { eventOf } from '../controller/announce.ts';
import { ApiError } from '../domain/errors.ts';
import { type Registration, registrationsIn, UnreadableTags } from '../domain/scaled-instance.ts';
import type { Instance } from '../drivers/compute/instance-directory.ts';
import { readScaledInstance, sayLaunched, sayLeaving } from '../repositories/scaled-instances.ts';
import type { Services } from '../runtime/services.ts';
import { InstanceNotReady, type Machine, registerMember, removeMember, removePredecessor } from './scaled-members.ts';

/** EventBridge's events of `aws.autoscaling`, of which only this is read. */
export interface ScalingEvent {
  'detail-type': string;
  time: string;
  detail: { EC2InstanceId: string };
}

const launches = new Set(['EC2 Instance Launch Successful']);
/** With a lifecycle hook it leaves while it still runs, and has the hook's time to end what it serves. */
const leavings = new Set(['EC2 Instance Terminate Successful', 'EC2 Instance-terminate Lifecycle Action']);

/** No repetition helps: whoever tagged the machine has to read of it. */
async function tellRefusal(services: Services, machine: Instance, poolId: string, reason: string): Promise<void> {
  const detail = { pool_id: poolId, reason, load_balancer_name: '' };
  const about = { id: '', project_id: '', name: '' };
  const fields = {
    type: 'registration_refused' as const,
    resource: 'instance',
    resource_id: machine.instance_id,
    detail,
  };
  await services.events.publish([eventOf(services, about, fields, `${poolId} ${reason}`)]);
}

async function register(services: Services, machine: Machine, registration: Registration): Promise<boolean> {
  try {
    return await registerMember(services, machine, registration);
  } catch (error) {
    if (!(error instanceof ApiError) || error.status !== 409) throw error;
    if (!(await removePredecessor(services, machine, registration))) throw error;
    return registerMember(services, machine, registration);
  }
}

async function launched(services: Services, instanceId: string, at: number): Promise<number> {
  const found = await services.instances.find(instanceId);
  if (found === undefined) throw new InstanceNotReady(`EC2 does not show machine ${instanceId}`);
  const wanted = wantedOf(found);
  if (wanted instanceof UnreadableTags) {
    await tellRefusal(services, found, '', wanted.message);
    return 0;
  }
  if (wanted === undefined || found.state === 'GONE') return 0;
  if (found.address === null) throw new InstanceNotReady(`machine ${instanceId} has no address yet`);
  const { registrations, project_id } = wanted;
  const now = await sayLaunched(services, instanceId, at, registrations);
  if (now.said !== 'LAUNCHED') return 0;
  let changed = 0;
  for (const one of now.registrations) {
    try {
      if (await register(services, { instance_id: instanceId, address: found.address, project_id }, one)) changed += 1;
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      await tellRefusal(services, found, one.pool_id, error.message);
    }
  }
  // It may have been said to leave meanwhile, by somebody who found nothing there.
  const after = await readScaledInstance(services.table, instanceId);
  if (after?.said === 'LEAVING') await removeAll(services, instanceId, registrations);
  return changed;
}

function wantedOf({ tags }: Instance): ReturnType<typeof registrationsIn> | UnreadableTags {
  try {
    return registrationsIn(tags);
  } catch (error) {
    if (error instanceof UnreadableTags) return error;
    throw error;
  }
}

async function removeAll(services: Services, instanceId: string, registrations: Registration[]): Promise<number> {
  let changed = 0;
  for (const one of registrations) if (await removeMember(services, instanceId, one)) changed += 1;
  return changed;
}

/** What was registered is known; a machine nobody has registered is only remembered if it would have been. */
async function leaving(services: Services, instanceId: string, at: number): Promise<number> {
  const known = await readScaledInstance(services.table, instanceId);
  const tags = known === undefined ? (await services.instances.find(instanceId))?.tags : undefined;
  const wanted = tags && wantedOf({ instance_id: instanceId, state: 'GONE', address: null, tags });
  const tagged = wanted === undefined || wanted instanceof UnreadableTags ? [] : wanted.registrations;
  const registrations = known?.registrations ?? tagged;
  if (registrations.length === 0) return 0;
  const now = await sayLeaving(services, instanceId, at, registrations);
  return now.said === 'LEAVING' ? removeAll(services, instanceId, now.registrations) : 0;
}

/** @throws Error for what is worth another try: whoever calls it does, twice */
export const scalingEventHandler =
  (services: Services) =>
  async (event: ScalingEvent): Promise<{ changed: number }> => {
    const { 'detail-type': type, detail, time } = event;
    const at = Date.parse(time);
    if (launches.has(type)) return { changed: await launched(services, detail.EC2InstanceId, at) };
    if (leavings.has(type)) return { changed: await leaving(services, detail.EC2InstanceId, at) };
    return { changed: 0 };
  };
