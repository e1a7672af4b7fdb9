// A secret of the deployment itself in Secrets Manager.
import { GetSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { DriverError } from '../../domain/errors.ts';

/** @throws DriverError when it cannot be read */
export async function readSecretText(region: string, id: string): Promise<string> {
  try {
    const { SecretString } = await new SecretsManagerClient({ region }).send(
      new GetSecretValueCommand({ SecretId: id }),
    );
    if (SecretString === undefined) throw new Error('it has no text');
    return SecretString;
  } catch (error) {
    throw new DriverError(`secret ${id} cannot be read`, { cause: error });
  }
}
