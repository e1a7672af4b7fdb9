// The two actions of Secrets Manager the driver calls, over HTTP on loopback, with its errors: what is unknown, denied or away.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';

export interface KeptSecret {
  SecretString?: string;
  SecretBinary?: Buffer;
  tags: Record<string, string>;
}

export class SecretsManagerDouble implements AsyncDisposable {
  readonly secrets = new Map<string, KeptSecret>();
  /** Actions in the order they were asked for. */
  readonly asked: string[] = [];
  /** What the next requests are answered with, until it is taken away. */
  fault: { type: string; status: number } | undefined;
  readonly client: SecretsManagerClient;
  readonly #close: () => Promise<void>;

  private constructor(client: SecretsManagerClient, close: () => Promise<void>) {
    this.client = client;
    this.#close = close;
  }

  static async start(): Promise<SecretsManagerDouble> {
    const server = createServer(async (request, response) => {
      let text = '';
      for await (const chunk of request) text += chunk;
      const action = String(request.headers['x-amz-target']).replace('secretsmanager.', '');
      const { status, body } = double.#answer(action, JSON.parse(text).SecretId);
      response.writeHead(status, { 'content-type': 'application/x-amz-json-1.1' }).end(JSON.stringify(body));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const client = new SecretsManagerClient({
      region: 'eu-central-1',
      endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
      maxAttempts: 1,
    });
    const double = new SecretsManagerDouble(client, async () => {
      client.destroy();
      await new Promise((resolve) => server.close(resolve));
    });
    return double;
  }

  #answer(action: string, arn: string): { status: number; body: object } {
    this.asked.push(action);
    if (this.fault) return { status: this.fault.status, body: { __type: this.fault.type } };
    const kept = this.secrets.get(arn);
    if (kept === undefined) return { status: 400, body: { __type: 'ResourceNotFoundException' } };
    const { SecretString, SecretBinary, tags } = kept;
    const Tags = Object.entries(tags).map(([Key, Value]) => ({ Key, Value }));
    if (action === 'DescribeSecret') return { status: 200, body: { ARN: arn, Tags } };
    if (action !== 'GetSecretValue') return { status: 400, body: { __type: 'InvalidAction' } };
    return { status: 200, body: { ARN: arn, SecretString, SecretBinary: SecretBinary?.toString('base64') } };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#close();
  }
}

export const secretArn = (number: number, region = 'eu-central-1'): string =>
  `arn:aws:secretsmanager:${region}:123456789012:secret:tls/certificate-${number}-AbCd${String(number).padStart(2, '0')}`;
