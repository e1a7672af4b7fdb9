// Amphorae that keep the text they are sent and, when told so, find fault with some of its lines as `haproxy -c` would.
import type { ConfigurationApplied } from '../../amphora/agent-api.ts';
import {
  type AmphoraAddress,
  type Configuration,
  ConfigurationRefused,
} from '../../lambdas/drivers/amphora/amphora-driver.ts';
import { NoopAmphoraDriver } from '../../lambdas/drivers/amphora/noop.ts';

export class RefusingAmphorae extends NoopAmphoraDriver {
  /** Text in a line that an amphora does not take; undefined: it takes everything. */
  faulty: string | undefined;
  /** false: the amphora says that the configuration is wrong, and not where. */
  namesLines = true;
  /** Every push that was taken, in order. */
  readonly taken: Configuration[] = [];
  /** Runs before a push is answered; for tests of what happens meanwhile. */
  beforePush: ((configuration: Configuration) => Promise<void>) | undefined;

  override async pushConfiguration(
    amphora: AmphoraAddress,
    configuration: Configuration,
  ): Promise<ConfigurationApplied> {
    await this.beforePush?.(configuration);
    this.#refuse(configuration.text);
    const applied = await super.pushConfiguration(amphora, configuration);
    this.taken.push(configuration);
    return applied;
  }

  #refuse(text: string): void {
    const { faulty } = this;
    if (faulty === undefined || !text.includes(faulty)) return;
    const found = text.split('\n').flatMap((line, index) => (line.includes(faulty) ? [index + 1] : []));
    const lines = this.namesLines ? found.map((line) => ({ line, message: `cannot take ${faulty}` })) : [];
    throw new ConfigurationRefused({ error: 'invalid', http_code: 400, message: 'configuration is wrong', lines });
  }

  /** What is in force for a load balancer. */
  textOf(loadBalancerId: string): string {
    return this.taken.findLast((one) => one.load_balancer_id === loadBalancerId)?.text ?? '';
  }

  pushesOf(loadBalancerId: string): Configuration[] {
    return this.taken.filter((one) => one.load_balancer_id === loadBalancerId);
  }
}
