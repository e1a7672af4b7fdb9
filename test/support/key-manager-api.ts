// The built-in key manager as Barbican's clients ask it, in the test's process.
import { expect } from 'vitest';
import { keyManagerHandler } from '../../lambdas/key-manager/handler.ts';
import type { Caller } from '../../lambdas/runtime/http/request.ts';
import { answerOf, httpEvent, origin } from './http.ts';
import { InProcessApi, projectId } from './in-process-api.ts';

export const whoever = (roles: string[], project_id: string | null = projectId, user_id = 'a-user') => ({
  ...{ roles, user_id },
  ...(project_id === null ? {} : { project_id }),
});
export const member = whoever(['member', 'reader']);
export const stranger = whoever(['admin', 'member', 'reader'], 'b'.repeat(32), 'a-stranger');

interface Asked {
  /** null: no token. */
  caller?: Partial<Caller> | null;
  headers?: Record<string, string>;
}

export const note = { name: 'note', payload: 'a text', payload_content_type: 'text/plain', secret_type: 'passphrase' };

export class KeyManagerApi {
  /** The load balancers of the same cloud. */
  readonly octavia = new InProcessApi();

  /** @param path below /key-manager, or a reference */
  ask = async (method: string, path: string, body?: unknown, { caller = member, headers = {} }: Asked = {}) => {
    const whole = path.startsWith(origin) ? path : `/key-manager${path}`;
    const event = httpEvent({ method, path: whole, body, headers, ...(caller === null ? {} : { caller }) });
    const result = await keyManagerHandler(this.octavia.services)(event, {} as never);
    if (!result.isBase64Encoded) return answerOf(result);
    return { ...answerOf({ ...result, body: '' }), body: Buffer.from(result.body!, 'base64') };
  };

  /** @returns its reference */
  stored = async (secret: object, asked?: Asked): Promise<string> => {
    const { status, body, headers } = await this.ask('POST', '/v1/secrets', secret, asked);
    expect(status).toBe(201);
    expect(headers['location']).toBe(body.secret_ref);
    return body.secret_ref;
  };

  contained = async (container: object): Promise<string> =>
    (await this.ask('POST', '/v1/containers', container)).body.container_ref;
}

export const fault = (code: number, description: unknown) => ({ status: code, body: { code, description } });
