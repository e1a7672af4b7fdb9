// Talks to the agent in an amphora: Octavia's amphora driver (haproxy, REST).
import type {
  AgentInfo,
  ArchiveRight,
  ConfigurationApplied,
  ConfigurationRejected,
  HeartbeatKey,
  VipLeft,
} from '../../../amphora/agent-api.ts';
import type { IssuedCertificate, Trust } from '../certificates/certificate-authority.ts';

export interface AmphoraAddress {
  id: string;
  lb_network_ip: string;
  /** Ids of those it trusts; undefined: the oldest there is. */
  authorities?: string[] | undefined;
}

export interface Configuration {
  load_balancer_id: string;
  generation: number;
  /** haproxy.cfg */
  text: string;
  /** What the text's manifest names, by the SHA-256 of it; an amphora is sent those it does not have. */
  files?: readonly { digest: string; contents: string }[];
}

/** The agent found the configuration wrong; the last good one is in force. */
export class ConfigurationRefused extends Error {
  override readonly name = 'ConfigurationRefused';
  readonly rejection: ConfigurationRejected;
  constructor(rejection: ConfigurationRejected) {
    super(rejection.message);
    this.rejection = rejection;
  }
}

/** The agent has a newer configuration than the one pushed. */
export class StaleConfiguration extends Error {
  override readonly name = 'StaleConfiguration';
}

export interface AmphoraDriver {
  /** @throws NotReady `AmphoraNotReady` while the agent does not answer */
  getInfo(amphora: AmphoraAddress): Promise<AgentInfo>;
  /**
   * Validates and applies; afterwards process and file agree with the text.
   * @throws ConfigurationRefused, StaleConfiguration
   * @throws NotReady `AmphoraNotReady` when the agent does not answer
   */
  pushConfiguration(amphora: AmphoraAddress, configuration: Configuration): Promise<ConfigurationApplied>;
  /** Tells the amphora that it holds the VIP from now on. @throws Superseded when it knows of a higher epoch */
  postVipPlug(amphora: AmphoraAddress, loadBalancerId: string, vipAddress: string, epoch: number): Promise<void>;
  /**
   * Tells the amphora that it has the VIP no more: it takes no new connection, and goes on with those it has. Again: how far it is.
   * @throws Superseded when it knows of a higher epoch
   * @throws NotReady `AmphoraNotReady` soon, since who asks does not depend on it
   */
  leaveVip(amphora: AmphoraAddress, loadBalancerId: string, vipAddress: string, epoch: number): Promise<VipLeft>;
  /** Ends the load balancer's HAProxy on this amphora; no error when there is none. */
  deleteLoadBalancer(amphora: AmphoraAddress, loadBalancerId: string): Promise<void>;
  /** Hands the amphora the right to put one of its archives of logs. No error when it has no such archive any more. */
  grantArchive(amphora: AmphoraAddress, archive: string, right: ArchiveRight): Promise<void>;
  /**
   * Gives the amphora another server certificate, and looks whether it shows it to whoever connects.
   * @throws Superseded when it has a newer one
   */
  putCertificate(amphora: AmphoraAddress, issued: IssuedCertificate): Promise<void>;
  /** Tells the amphora whom to trust from now on. @throws Superseded when it was told later news */
  putAuthorities(amphora: AmphoraAddress, trust: Trust): Promise<void>;
  /** Gives the amphora the key its next heartbeats are to be signed with. @throws Superseded when it has a newer one */
  putHeartbeatKey(amphora: AmphoraAddress, key: HeartbeatKey): Promise<void>;
  close(): Promise<void>;
}
