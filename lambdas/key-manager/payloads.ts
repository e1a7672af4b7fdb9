// Payloads as they come and go: which contents Barbican takes, how they are spelled, how large they may be.
import { ApiError } from '../domain/errors.ts';
import { payloadPurpose } from '../domain/key-manager.ts';
import type { Services } from '../runtime/services.ts';
import { mismatch } from './bodies.ts';

/** Barbican takes 20,000 unless it is told otherwise; 64 kB is what Secrets Manager takes, and a third of an item once it is sealed. */
export const mostPayloadBytes = 65_536;

const binaryTypes = ['application/octet-stream', 'application/pkcs8', 'application/pkix-cert'];
const isTextType = (type: string): boolean => /^text\/plain(\s*;\s*charset\s*=\s*utf-8)?$/i.test(type);
const normalized = (type: string): string => (isTextType(type) ? 'text/plain' : type.toLowerCase());

export interface Payload {
  bytes: Buffer;
  content_type: string;
}

/** @throws ApiError 413 */
function sized(payload: Payload): Payload {
  if (payload.bytes.length <= mostPayloadBytes) return payload;
  throw new ApiError(413, 'Provided information too large to process');
}

/** Buffer takes anything for base64. */
function fromBase64(text: string): Buffer | undefined {
  const compact = text.replace(/\s+/g, '');
  const bytes = Buffer.from(compact, 'base64');
  return bytes.toString('base64').replace(/=+$/, '') === compact.replace(/=+$/, '') ? bytes : undefined;
}

interface Given {
  payload?: string | null | undefined;
  payload_content_type?: string | null | undefined;
  payload_content_encoding?: string | null | undefined;
}

const refused = (reason: string, property: string) => mismatch('Secret', reason, property);

/** Within the body of a new secret; undefined when it comes later. @throws ApiError 400, 413 */
export function inlinePayload({ payload, payload_content_type, payload_content_encoding }: Given): Payload | undefined {
  const [type, encoding] = [payload_content_type ?? null, payload_content_encoding ?? null];
  if (payload === undefined || payload === null) {
    if (type !== null) throw refused('payload must be provided when payload_content_type is supplied', 'payload');
    return undefined;
  }
  if (payload.trim() === '') throw refused("If 'payload' specified, must be non empty", 'payload');
  if (type === null)
    throw refused("If 'payload' is supplied, 'payload_content_type' must also be supplied", 'payload_content_type');
  if (encoding !== null && encoding !== 'base64')
    throw refused("payload_content_encoding must be 'base64'", 'payload_content_encoding');
  return isTextType(type) ? inlineText(payload, encoding) : inlineBytes(payload, normalized(type), encoding);
}

function inlineText(payload: string, encoding: string | null): Payload {
  if (encoding !== null)
    throw refused(
      'payload_content_encoding must not be specified when payload_content_type is text/plain',
      'payload_content_encoding',
    );
  return sized({ bytes: Buffer.from(payload), content_type: 'text/plain' });
}

function inlineBytes(payload: string, content_type: string, encoding: string | null): Payload {
  if (!binaryTypes.includes(content_type))
    throw refused('payload_content_type is not one of those that are supported', 'payload_content_type');
  if (encoding === null)
    throw refused(
      `payload_content_encoding must be specified when payload_content_type is ${content_type}`,
      'payload_content_encoding',
    );
  const bytes = fromBase64(payload);
  if (bytes === undefined) throw refused('Invalid payload for payload_content_encoding', 'payload');
  return sized({ bytes, content_type });
}

/** As a body of its own. @throws ApiError 400, 413, 415 */
export function bodyPayload(body: unknown, headers: Record<string, string>): Payload {
  const type = headers['content-type'] ?? '';
  const isTaken = isTextType(type) || binaryTypes.includes(normalized(type));
  if (!isTaken) throw new ApiError(415, `Content-Type of '${type}' is not supported for PUT.`);
  if (!Buffer.isBuffer(body) || body.length === 0)
    throw new ApiError(400, 'No payload was provided for the secret update');
  const encoding = headers['content-encoding'] ?? 'binary';
  const bytes = encoding === 'base64' ? fromBase64(body.toString('latin1')) : body;
  const isReadable = bytes !== undefined && (encoding === 'base64' || encoding === 'binary');
  if (!isReadable) throw new ApiError(400, `Problem decoding a payload with content encoding ${encoding}`);
  return sized({ bytes, content_type: normalized(type) });
}

export const sealed = ({ sealer }: Services, id: string, { bytes }: Payload): string =>
  sealer.seal(bytes.toString('base64'), payloadPurpose(id));

export const opened = ({ sealer }: Services, id: string, sealedPayload: string): Buffer =>
  Buffer.from(sealer.open(sealedPayload, payloadPurpose(id)), 'base64');

/** @throws ApiError 406 */
export function refuseOther(contentType: string, accept = '*/*'): void {
  const wanted = accept.split(',').map((one) => one.split(';')[0]!.trim().toLowerCase());
  const [group] = contentType.split('/');
  if (wanted.some((one) => ['', '*/*', `${group}/*`, contentType].includes(one))) return;
  throw new ApiError(406, 'Secret payload retrieval issue seen - accept type is not the type of the payload.');
}
