// What uses a secret or container: who registered, and the listeners and pools that refer to it.
import { addressesIn } from '../domain/certificate-references.ts';
import {
  type ContainerConsumer,
  type ContainerRow,
  placeOf,
  type SecretConsumer,
  type SecretRow,
} from '../domain/key-manager.ts';
import { type CertificateUse, readUsesOfProject } from '../repositories/certificate-references.ts';
import type { ApiRequest } from '../runtime/http/request.ts';

async function usesOf(request: ApiRequest, { id, project_id }: SecretRow | ContainerRow): Promise<CertificateUse[]> {
  const uses = await readUsesOfProject(request.services.table, project_id);
  return uses.filter(({ references }) => addressesIn(references).some((address) => placeOf(address)?.id === id));
}

export async function consumersOf(request: ApiRequest, row: SecretRow): Promise<SecretConsumer[]> {
  const used = (await usesOf(request, row)).map(({ kind, id }) => ({
    ...{ service: 'load-balancer', resource_type: kind, resource_id: id },
  }));
  return [...row.consumers, ...used];
}

export async function containerConsumersOf(request: ApiRequest, row: ContainerRow): Promise<ContainerConsumer[]> {
  const used = (await usesOf(request, row)).map(({ kind, id }) => ({
    ...{ name: 'Octavia', URL: `${request.origin}/v2.0/lbaas/${kind}s/${id}` },
  }));
  return [...row.consumers, ...used];
}
