// Routes by which the control plane renews what the agent was born with. Octavia's agent has the first; it starts itself anew to use it.
import type { HeartbeatKey, TrustedAuthorities } from '../agent-api.ts';
import type { Agent, AgentRequest, AgentResponse } from './routes.ts';

const accepted: AgentResponse = { status: 202, body: { message: 'OK' } };

export function putServerCertificate({ identity }: Agent, { body }: AgentRequest): AgentResponse {
  identity.takeCertificate(body);
  return accepted;
}

export function putAuthorities({ identity }: Agent, { body, peer }: AgentRequest): AgentResponse {
  identity.takeAuthorities(JSON.parse(body) as TrustedAuthorities, peer);
  return accepted;
}

export function putHeartbeatKey({ identity }: Agent, { body }: AgentRequest): AgentResponse {
  identity.takeHeartbeatKey(JSON.parse(body) as HeartbeatKey);
  return accepted;
}
