// Octavia's amphora agent REST API 1.0, as a table of routes.
import { createHash, type X509Certificate } from 'node:crypto';
import { type AgentSettings, type ArchiveRight, configurationHeaders, type PlugVip } from '../agent-api.ts';
import { deleteCertificate, getCertificate, putCertificate } from './certificate-routes.ts';
import type { Vip } from './configuration.ts';
import { agentDetails, agentInfo, listListeners } from './details.ts';
import type { Identity } from './identity.ts';
import { putAuthorities, putHeartbeatKey, putServerCertificate } from './identity-routes.ts';
import type { LoadBalancer } from './load-balancer.ts';
import type { Logs } from './logs/logs.ts';
import { UnknownLoadBalancer } from './refused-verbs.ts';
import { ConfigurationRefused } from './validation.ts';

export interface AgentRequest {
  /** The placeholders of the route, in their order. */
  path: string[];
  headers: Record<string, string | string[] | undefined>;
  body: string;
  /** The control plane's certificate. */
  peer: X509Certificate;
}

export interface AgentResponse {
  status: number;
  headers?: Record<string, string>;
  /** Text goes out as it is, anything else as JSON. */
  body: unknown;
}

export interface Agent {
  settings: AgentSettings;
  identity: Identity;
  loadBalancer: LoadBalancer;
  haproxyVersion: () => Promise<string>;
  /** null where nobody takes them. */
  logs: Logs | null;
}

type Handler = (agent: Agent, request: AgentRequest) => AgentResponse | Promise<AgentResponse>;

const uuid = '([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})';
const ok = { status: 200, body: { message: 'OK' } };

const certificate = new RegExp(`^/1\\.0/loadbalancer/${uuid}/certificates/([0-9a-f]{64})\\.pem$`);

/** First match wins. */
export const routes: [method: string, path: RegExp, handler: Handler][] = [
  ['GET', /^\/$/, () => ({ status: 200, body: { api_version: '1.0' } })],
  ['GET', /^\/1\.0\/info$/, getInfo],
  ['GET', /^\/1\.0\/details$/, getDetails],
  ['GET', /^\/1\.0\/listeners$/, ({ loadBalancer }) => ({ status: 200, body: listListeners(loadBalancer) })],
  ['DELETE', new RegExp(`^/1\\.0/(?:loadbalancer|listeners)/${uuid}$`), deleteLoadBalancer],
  ['PUT', new RegExp(`^/1\\.0/loadbalancer/${uuid}/${uuid}/haproxy$`), putConfiguration],
  ['GET', new RegExp(`^/1\\.0/loadbalancer/${uuid}/haproxy$`), getConfiguration],
  ['PUT', certificate, putCertificate],
  ['GET', certificate, getCertificate],
  ['DELETE', certificate, deleteCertificate],
  ['PUT', new RegExp(`^/1\\.0/loadbalancer/${uuid}/(\\w+)$`), controlLoadBalancer],
  ['PUT', /^\/1\.0\/certificate$/, putServerCertificate],
  ['PUT', /^\/1\.0\/certificate\/authorities$/, putAuthorities],
  ['PUT', /^\/1\.0\/heartbeat-key$/, putHeartbeatKey],
  ['PUT', /^\/1\.0\/logs\/([\w-]+)$/, shipLog],
  ['POST', /^\/1\.0\/plug\/vip\/([0-9a-fA-F:.]+)$/, plugVip],
  ['POST', /^\/1\.0\/leave\/vip\/([0-9a-fA-F:.]+)$/, leaveVip],
];

export const failure = (status: number, error: string): AgentResponse => ({
  status,
  body: { error, http_code: status },
});

async function getInfo({ settings, loadBalancer, haproxyVersion }: Agent): Promise<AgentResponse> {
  return { status: 200, body: agentInfo(settings, loadBalancer, await haproxyVersion()) };
}

async function getDetails(agent: Agent): Promise<AgentResponse> {
  const info = agentInfo(agent.settings, agent.loadBalancer, await agent.haproxyVersion());
  return {
    status: 200,
    body: { ...info, ...(await agentDetails(agent.loadBalancer)), ...(agent.logs && { logs: agent.logs.details() }) },
  };
}

async function deleteLoadBalancer({ loadBalancer }: Agent, { path }: AgentRequest): Promise<AgentResponse> {
  await loadBalancer.remove(path[0]!);
  return ok;
}

async function putConfiguration(agent: Agent, { path, headers, body }: AgentRequest): Promise<AgentResponse> {
  const [amphoraId, loadBalancerId] = path as [string, string];
  if (amphoraId !== agent.settings.amphora_id) return failure(404, `this is not amphora ${amphoraId}`);
  const generation = Number(headers[configurationHeaders.generation] ?? Number.NaN);
  const digest = createHash('sha256').update(body).digest('hex');
  if (!Number.isSafeInteger(generation)) throw refused(`${configurationHeaders.generation} is missing or no number`);
  if (headers[configurationHeaders.digest] !== digest) throw refused('the digest is not that of the body');
  const candidate = { load_balancer_id: loadBalancerId, generation, digest, text: body };
  const applied = await agent.loadBalancer.push(candidate);
  return { status: 202, headers: { etag: md5(body) }, body: applied };
}

const refused = (message: string) => new ConfigurationRefused({ error: 'invalid', http_code: 400, message, lines: [] });

function getConfiguration({ loadBalancer }: Agent, { path }: AgentRequest): AgentResponse {
  const { current } = loadBalancer.store;
  if (current?.load_balancer_id !== path[0]) throw new UnknownLoadBalancer(`No loadbalancer with UUID: ${path[0]}`);
  const headers = { 'content-type': 'text/plain', etag: md5(current!.text) };
  return { status: 200, headers, body: current!.text };
}

const md5 = (text: string) => createHash('md5').update(text).digest('hex');

async function controlLoadBalancer({ loadBalancer }: Agent, { path }: AgentRequest): Promise<AgentResponse> {
  const [id, action] = path as [string, string];
  if (action !== 'start' && action !== 'stop' && action !== 'reload') {
    return { status: 400, body: { message: 'Invalid Request', details: `Unknown action: ${action}` } };
  }
  await loadBalancer[action](id);
  return { status: 202, body: { message: 'OK', details: `haproxy daemon for ${id}: ${action}` } };
}

/** Undefined when it does not say which. */
function vipOf({ path, body }: AgentRequest): Vip | undefined {
  const { load_balancer_id, epoch } = JSON.parse(body) as PlugVip;
  if (!new RegExp(`^${uuid}$`).test(load_balancer_id) || !Number.isSafeInteger(epoch)) return undefined;
  return { load_balancer_id, ip_address: path[0]!, epoch };
}

const noVip = failure(400, 'load_balancer_id and epoch are needed');

async function leaveVip({ loadBalancer }: Agent, request: AgentRequest): Promise<AgentResponse> {
  const vip = vipOf(request);
  return vip === undefined ? noVip : { status: 202, body: await loadBalancer.leave(vip) };
}

async function plugVip({ loadBalancer }: Agent, request: AgentRequest): Promise<AgentResponse> {
  const { path } = request;
  const vip = vipOf(request);
  if (vip === undefined) return noVip;
  await loadBalancer.plug(vip);
  return { status: 202, body: { message: 'OK', details: `VIP ${path[0]} plugged` } };
}

function shipLog({ logs }: Agent, { path, body }: AgentRequest): AgentResponse {
  const right = JSON.parse(body) as ArchiveRight;
  if (typeof right.url !== 'string' || typeof right.headers !== 'object')
    return failure(400, 'url and headers are needed');
  if (!logs?.ship(path[0]!, right)) return failure(404, `there is no archive ${path[0]}`);
  return { status: 202, body: { message: 'OK', details: `archive ${path[0]} is on its way` } };
}
