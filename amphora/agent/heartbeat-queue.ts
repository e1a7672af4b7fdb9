// Where heartbeats go: an SQS queue instead of Octavia's UDP, signed with a key of this amphora alone.
import { createHmac } from 'node:crypto';
import type { SQSClient } from '@aws-sdk/client-sqs';
import type { AgentSettings, Heartbeat, HeartbeatPart, SignedHeartbeat } from '../agent-api.ts';
import { messagesOf } from './heartbeat-parts.ts';
import type { Identity } from './identity.ts';

const sendTimeoutMs = 3_000;

export class HeartbeatQueue {
  readonly #settings: AgentSettings;
  readonly #identity: Identity;
  #client: Promise<SQSClient> | null = null;

  constructor(settings: AgentSettings, identity: Identity) {
    this.#settings = settings;
    this.#identity = identity;
  }

  async send(heartbeat: Heartbeat): Promise<void> {
    for (const message of messagesOf(heartbeat)) await this.#send(message);
  }

  async #send(said: Heartbeat | HeartbeatPart): Promise<void> {
    const payload = JSON.stringify(said);
    const hmac = createHmac('sha256', this.#identity.heartbeatKey).update(payload).digest('hex');
    const signed: SignedHeartbeat = { amphora_id: this.#settings.amphora_id, payload, hmac };
    this.#client ??= createClient(this.#settings);
    const { SendMessageCommand } = await import('@aws-sdk/client-sqs');
    const message = { QueueUrl: this.#settings.heartbeat_queue_url, MessageBody: JSON.stringify(signed) };
    await (await this.#client).send(new SendMessageCommand(message));
  }
}

/** Loaded late: the SDK takes longer to load than the rest of the agent to listen. */
async function createClient(settings: AgentSettings): Promise<SQSClient> {
  const { region, sqs_endpoint, heartbeat_queue_url, source_address } = settings;
  const { SQSClient } = await import('@aws-sdk/client-sqs');
  const isKeyless = sqs_endpoint !== null && !process.env['AWS_ACCESS_KEY_ID'];
  return new SQSClient({
    region,
    // The next tick is the retry, with fresher content.
    maxAttempts: 1,
    requestHandler: {
      requestTimeout: sendTimeoutMs,
      connectionTimeout: sendTimeoutMs,
      // Else it is only logged, and after a cut of the network everything waits for what TCP sends again minutes later.
      throwOnRequestTimeout: true,
      ...(source_address === undefined ? {} : { httpAgent: { localAddress: source_address } }),
    },
    // The queue's own host: told of another, as of AWS's dual-stack ones, the SDK complains with every message.
    endpoint: sqs_endpoint ?? new URL(heartbeat_queue_url).origin,
    ...(isKeyless ? { credentials: { accessKeyId: 'local', secretAccessKey: 'local' } } : {}),
  });
}
