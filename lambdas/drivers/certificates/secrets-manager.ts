// Certificates in AWS Secrets Manager, referred to by the ARN of their secret. A secret is of the project its tag says: whoever may
// tag a secret of the account decides who may serve it, and a secret without the tag is nobody's.
import {
  DescribeSecretCommand,
  GetSecretValueCommand,
  ResourceNotFoundException,
  SecretsManagerClient,
} from '@aws-sdk/client-secrets-manager';
import { DriverError } from '../../domain/errors.ts';
import {
  type CertificateManager,
  CertificateUnreadable,
  type SecretStore,
  type ServedCertificate,
  type TrustedAuthority,
} from './certificate-manager.ts';
import { readParts, readPayload } from './certificate-payload.ts';
import { readAuthority } from './trusted-authority.ts';

/** Whose project may use the secret. */
export { SecretsManagerClient };

export const projectTag = 'octavia:project';

const arn = /^arn:aws[\w-]*:secretsmanager:[a-z0-9-]+:\d{12}:secret:[\w/+=.@-]+$/;
export const isSecretArn = (reference: string): boolean => arn.test(reference);

/** @throws TypeError for what has another form. By hand: zod's objects would add a twentieth to what the API loads. */
function fromJson(text: string): ServedCertificate {
  const given = JSON.parse(text) as Record<string, unknown>;
  const textOf = (name: string): string | undefined => {
    const value = given[name] ?? undefined;
    const joined = Array.isArray(value) && name === 'intermediates' ? value.join('\n') : value;
    if (joined === undefined || typeof joined === 'string') return joined;
    throw new TypeError(`${name} is no text`);
  };
  const [certificate, private_key] = [textOf('certificate'), textOf('private_key')];
  if (certificate === undefined || private_key === undefined)
    throw new TypeError('certificate or private_key is missing');
  const private_key_passphrase = textOf('private_key_passphrase');
  return readParts({ certificate, private_key, private_key_passphrase, intermediates: textOf('intermediates') });
}

/** Errors that say something of the secret; any other says something of the service, and that asking later may help. */
const refusals = [
  ResourceNotFoundException.name,
  'InvalidRequestException',
  'InvalidParameterException',
  'AccessDeniedException',
  'DecryptionFailure',
];

export class SecretsManagerCertificates implements CertificateManager, SecretStore {
  readonly #client: SecretsManagerClient;

  constructor({ client }: { client: SecretsManagerClient }) {
    this.#client = client;
  }

  async get(reference: string, projectId: string): Promise<ServedCertificate> {
    try {
      const payload = await this.readSecret(reference, projectId);
      const isJson = payload.toString('utf8', 0, 64).trimStart().startsWith('{');
      return isJson ? fromJson(payload.toString('utf8')) : readPayload(payload);
    } catch (cause) {
      if (cause instanceof DriverError) throw cause;
      throw new CertificateUnreadable([reference], { cause });
    }
  }

  getAuthority(reference: string, revocationReference: string | null, projectId: string): Promise<TrustedAuthority> {
    const read = async (one: string) => (await this.readSecret(one, projectId)).toString('utf8');
    return readAuthority(read, reference, revocationReference);
  }

  /** The tag is looked at first: what belongs to others is not read at all. @throws DriverError when the service does not answer */
  async readSecret(reference: string, projectId: string): Promise<Buffer> {
    if (!isSecretArn(reference)) throw new TypeError(`${reference} is no ARN of a secret`);
    try {
      const { Tags = [] } = await this.#client.send(new DescribeSecretCommand({ SecretId: reference }));
      const owner = Tags.find(({ Key }) => Key === projectTag)?.Value;
      if (owner !== projectId) throw new NotOfProject(`${reference} is not tagged ${projectTag}=${projectId}`);
      const { SecretString, SecretBinary } = await this.#client.send(
        new GetSecretValueCommand({ SecretId: reference }),
      );
      return Buffer.from(SecretString ?? SecretBinary ?? '');
    } catch (cause) {
      if (cause instanceof NotOfProject || refusals.includes((cause as Error).name)) throw cause;
      throw new DriverError(`Secrets Manager does not answer for ${reference}`, { cause, isTransient: true });
    }
  }
}

class NotOfProject extends Error {
  override readonly name = 'NotOfProject';
}
