// An amphora that agrees to everything.
import { createHash } from 'node:crypto';
import type { AgentInfo, ArchiveRight, ConfigurationApplied, VipLeft } from '../../../amphora/agent-api.ts';
import { type AmphoraAddress, type AmphoraDriver, type Configuration, StaleConfiguration } from './amphora-driver.ts';

export class NoopAmphoraDriver implements AmphoraDriver {
  readonly #held = new Map<string, { generation: number; digest: string }>();

  async getInfo(amphora: AmphoraAddress): Promise<AgentInfo> {
    const held = this.#held.get(amphora.id);
    return {
      hostname: amphora.id,
      api_version: '1.0',
      haproxy_version: 'noop',
      amphora_id: amphora.id,
      generation: held?.generation ?? null,
      digest: held?.digest ?? null,
    };
  }

  async pushConfiguration(amphora: AmphoraAddress, configuration: Configuration): Promise<ConfigurationApplied> {
    const held = this.#held.get(amphora.id);
    if (held && held.generation > configuration.generation)
      throw new StaleConfiguration(`holds generation ${held.generation}`);
    const digest = createHash('sha256').update(configuration.text).digest('hex');
    this.#held.set(amphora.id, { generation: configuration.generation, digest });
    return { generation: configuration.generation, digest, method: held?.digest === digest ? 'none' : 'reload' };
  }

  async postVipPlug(_amphora: AmphoraAddress, _loadBalancerId: string, _ip: string, _epoch: number): Promise<void> {}

  async leaveVip(): Promise<VipLeft> {
    return { processes: 0, since_ms: 0 };
  }

  async deleteLoadBalancer(amphora: AmphoraAddress): Promise<void> {
    this.#held.delete(amphora.id);
  }

  async grantArchive(_amphora: AmphoraAddress, _archive: string, _right: ArchiveRight): Promise<void> {}

  async putCertificate(): Promise<void> {}

  async putAuthorities(): Promise<void> {}

  async putHeartbeatKey(): Promise<void> {}

  async close(): Promise<void> {}
}
