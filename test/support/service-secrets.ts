// Secrets of a running service, put straight into its table: certificates with their keys, authorities and revocation lists.
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { payloadKey } from '../../lambdas/domain/key-manager.ts';
import { copyIdOf, copyKey } from '../../lambdas/drivers/certificates/certificate-copies.ts';
import { LocalCertificates } from '../../lambdas/drivers/certificates/local-certificates.ts';
import { aesSealer } from '../../lambdas/drivers/certificates/sealer.ts';
import { SqliteTable } from '../../lambdas/drivers/table/sqlite.ts';
import type { Issued } from './issuers.ts';
import type { LocalService } from './local-service.ts';

const origin = 'https://keys.example/key-manager/v1';

export class ServiceSecrets implements AsyncDisposable {
  readonly #table: SqliteTable;
  readonly #manager: LocalCertificates;
  readonly #projectId: string;

  constructor(service: LocalService) {
    const { key } = JSON.parse(readFileSync(join(service.state, 'sealing-key.json'), 'utf8'));
    this.#table = new SqliteTable({ path: join(service.state, 'table.sqlite') });
    this.#manager = new LocalCertificates({ table: this.#table, sealer: aesSealer(Buffer.from(key, 'base64')) });
    this.#projectId = String((service.ready as unknown as { project_id: string }).project_id);
  }

  /** @returns its reference @param id of a secret that is there, for another payload */
  async keep(payload: string, id: string = randomUUID()): Promise<string> {
    await this.#manager.putSecret(id, this.#projectId, payload);
    return `${origin}/secrets/${id}`;
  }

  /** Certificate and key in one secret. */
  keepCertificate({ certificate, private_key }: Issued, id?: string): Promise<string> {
    return this.keep(`${certificate}\n${private_key}`, id);
  }

  /** Nobody can read it from now on, but the copy made when it was accepted. */
  async lose(reference: string): Promise<void> {
    await this.#table.transact([{ kind: 'delete', key: payloadKey(reference.split('/').at(-1)!) }]);
  }

  /** The copy of a certificate is gone too. */
  async loseCopy(reference: string): Promise<void> {
    const copyId = copyIdOf({ kind: 'certificate', project_id: this.#projectId, reference });
    await this.#table.transact([{ kind: 'delete', key: copyKey(copyId) }]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#table.close();
  }
}
