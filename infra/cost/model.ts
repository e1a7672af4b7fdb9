// A month's bill by what is deployed and done with it. Pure; every figure is in US dollars a month.
import { hoursPerMonth, instanceHours, prices } from './prices.ts';
import {
  heartbeat,
  heartbeatIntervalS,
  heartbeatInvocationS,
  heartbeatWindowS,
  idleInvocationsPerMinute,
  idleReadUnitsPerMinute,
  idleWriteUnitsPerMinute,
  invocationGb,
  invocationS,
  keys,
  measured,
  metrics,
  pollersPerQueue,
  pollS,
  queues,
  scan,
  scanIntervalS,
  secrets,
  type Usage,
} from './usage.ts';

export interface Fleet {
  loadBalancers: number;
  /** 1 with topology SINGLE, 2 with ACTIVE_STANDBY. */
  amphoraePerLoadBalancer: number;
  /** On one machine, by flavor. */
  amphoraePerMachine: number;
  instanceType: string;
  diskGb: number;
  /** Of each load balancer. */
  memberChangesPerDay: number;
  readsPerDay: number;
  /** Load balancers made and deleted again, of the whole fleet. */
  creationsPerDay: number;
  alarms: number;
  /** Zones with an interface endpoint of SQS; 0 where amphorae reach it over IPv6. */
  endpointZones: number;
}

export interface Traffic {
  newConnectionsPerS: number;
  activeConnections: number;
  gbPerHour: number;
}

const secondsPerMonth = hoursPerMonth * 3_600;
const minutesPerMonth = hoursPerMonth * 60;
const daysPerMonth = hoursPerMonth / 24;
const runOf = (seconds: number) => prices.invocation + seconds * invocationGb * prices.gbSecond;
const run = runOf(invocationS);

const costOf = (usage: Usage): number =>
  usage.readUnits * prices.readUnit +
  usage.writeUnits * prices.writeUnit +
  usage.transitions * prices.transition +
  usage.events * prices.event +
  usage.messages * 3 * prices.fifoRequest +
  usage.httpRequests * prices.httpRequest +
  usage.invocations * run;

/** Of a control plane that looks after nothing. */
export function idleCosts({ alarms, endpointZones }: Pick<Fleet, 'alarms' | 'endpointZones'>): Record<string, number> {
  const polls = (pollersPerQueue * secondsPerMonth) / pollS;
  const schedules = idleInvocationsPerMinute * run;
  const units = idleReadUnitsPerMinute * prices.readUnit + idleWriteUnitsPerMinute * prices.writeUnit;
  return {
    'polling of empty queues': polls * (queues.fifo * prices.fifoRequest + queues.standard * prices.standardRequest),
    'schedules with nothing to do': minutesPerMonth * (schedules + units),
    'key and secrets': keys * prices.keyMonth + secrets * prices.secretMonth,
    alarms: alarms * prices.alarmMonth,
    'interface endpoints': endpointZones * prices.interfaceEndpointHour * hoursPerMonth,
  };
}

/** Of one amphora, among so many: the more there are, the more heartbeats are taken in at once. */
export function heartbeatCost(amphorae: number): number {
  const beats = secondsPerMonth / heartbeatIntervalS;
  const atOnce = Math.max(1, (amphorae * heartbeatWindowS) / heartbeatIntervalS);
  const requests = 1 + 2 / Math.min(10, atOnce);
  const units = heartbeat.readUnits * prices.readUnit + heartbeat.writeUnits * prices.writeUnit;
  return beats * (requests * prices.standardRequest + units + runOf(heartbeatInvocationS) / atOnce);
}

/** While there is anything to look at. */
function scanCost(amphorae: number): number {
  const readUnits = scan.readUnits + amphorae * scan.readUnitsPerAmphora;
  const units = readUnits * prices.readUnit + scan.writeUnits * prices.writeUnit;
  return (secondsPerMonth / scanIntervalS) * (3 * prices.standardRequest + units + run);
}

/** @throws Error for a type without a price */
export function machineCost({ instanceType, diskGb }: Pick<Fleet, 'instanceType' | 'diskGb'>): number {
  const hour = instanceHours[instanceType];
  if (hour === undefined)
    throw new Error(`no price is known of ${instanceType}, only of ${Object.keys(instanceHours).join(', ')}`);
  return hour * hoursPerMonth + diskGb * prices.diskGbMonth;
}

/** The parts of a month's bill. @throws Error for a type of machine without a price */
export function costs(fleet: Fleet): Record<string, number> {
  const { loadBalancers, amphoraePerLoadBalancer, amphoraePerMachine } = fleet;
  const amphorae = loadBalancers * amphoraePerLoadBalancer;
  const idle = Object.values(idleCosts(fleet)).reduce((sum, one) => sum + one, 0);
  const changes = loadBalancers * fleet.memberChangesPerDay * costOf(measured.memberChange);
  const read = { readUnits: 3, writeUnits: 0, transitions: 0, events: 0, messages: 0, httpRequests: 1, invocations: 2 };
  const reads = loadBalancers * fleet.readsPerDay * costOf(read);
  const creations = fleet.creationsPerDay * (costOf(measured.create) + costOf(measured.delete));
  return {
    machines: Math.ceil(amphorae / amphoraePerMachine) * machineCost(fleet),
    heartbeats: amphorae * (amphorae > 0 ? heartbeatCost(amphorae) : 0),
    'looks for silent amphorae': amphorae > 0 ? scanCost(amphorae) : 0,
    metrics: amphorae > 0 ? metrics * prices.metricMonth : 0,
    'writes and reads of the API': daysPerMonth * (changes + reads + creations),
    'idle control plane': idle,
  };
}

export const total = (parts: Record<string, number>): number => Object.values(parts).reduce((sum, one) => sum + one, 0);

/** What AWS's own would cost for the same load balancers, each with that traffic. */
export function elasticCosts(loadBalancers: number, traffic: Traffic): { application: number; network: number } {
  const { newConnectionsPerS, activeConnections, gbPerHour } = traffic;
  const application = Math.max(newConnectionsPerS / 25, activeConnections / 3_000, gbPerHour);
  const network = Math.max(newConnectionsPerS / 800, activeConnections / 100_000, gbPerHour);
  const month = (units: number, unitHour: number) =>
    loadBalancers * hoursPerMonth * (prices.balancerHour + units * unitHour);
  return {
    application: month(application, prices.applicationUnitHour),
    network: month(network, prices.networkUnitHour),
  };
}
