// What an operator allows in a deployment, beyond what Octavia itself allows.
import { ApiError } from './errors.ts';

export interface DeploymentRules {
  /** With `noop` nothing serves traffic, so nothing is refused for what serves it. */
  amphora_driver: 'https' | 'noop';
  allow_ping_health_monitors: boolean;
  allow_prometheus_listeners: boolean;
  allow_tls_terminated_listeners: boolean;
  /** Colon separated. */
  tls_cipher_prohibit_list: string;
  /** Empty: none. */
  minimum_tls_version: string;
  /** Seconds; negative: no limit. */
  udp_connect_min_interval_health_monitor: number;
}

export const disabled = (option: string, value: string) =>
  new ApiError(400, `The selected ${option} is not allowed in this deployment: ${value}`);

/** Octavia's InvalidOption. */
export const invalidOption = (value: string, option: string) =>
  new ApiError(400, `${value} is not a valid option for ${option}`);

/** What the provider cannot do, though Octavia's API can ask for it. */
export const unsupportedOption = (text: string) =>
  new ApiError(501, `Provider 'amphora' does not support a requested option: ${text}`);

/** @throws ApiError 501 unless there is nothing that could fail to do it */
export function refuseUnsupported({ amphora_driver }: Pick<DeploymentRules, 'amphora_driver'>, text: string): void {
  if (amphora_driver !== 'noop') throw unsupportedOption(text);
}

/** A list of texts as Octavia's messages, which are Python's, spell it. */
export const spelledList = (texts: readonly string[]): string => `[${texts.map((text) => `'${text}'`).join(', ')}]`;
