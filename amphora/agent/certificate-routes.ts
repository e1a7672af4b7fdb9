// The part of Octavia's agent API that takes certificates, by what is in them: `/1.0/loadbalancer/{id}/certificates/{sha256}.pem`.
import { createHash } from 'node:crypto';
import { readManifest } from './manifest.ts';
import type { Agent, AgentRequest, AgentResponse } from './routes.ts';

export function putCertificate({ loadBalancer }: Agent, { path, body }: AgentRequest): AgentResponse {
  const [id, digest] = path as [string, string];
  if (createHash('sha256').update(body).digest('hex') !== digest) {
    return { status: 400, body: { error: 'the name is not the SHA-256 of the body', http_code: 400 } };
  }
  loadBalancer.filesOf(id).put(digest, body);
  return { status: 200, body: { message: 'OK' } };
}

/** Octavia's controller compares; the contents themselves never leave the amphora. */
export function getCertificate({ loadBalancer }: Agent, { path }: AgentRequest): AgentResponse {
  const [id, digest] = path as [string, string];
  const files = loadBalancer.filesOf(id);
  if (!files.has(digest)) return notFound(digest);
  const md5sum = createHash('md5').update(files.read(digest)).digest('hex');
  return { status: 200, body: { md5sum, sha256sum: digest } };
}

export function deleteCertificate({ loadBalancer }: Agent, { path }: AgentRequest): AgentResponse {
  const [id, digest] = path as [string, string];
  const files = loadBalancer.filesOf(id);
  const { current } = loadBalancer.store;
  const isInForce = current !== null && [...readManifest(current.text).values()].includes(digest);
  if (isInForce) return { status: 409, body: { error: 'the configuration in force names it', http_code: 409 } };
  files.remove(digest);
  return { status: 200, body: { message: 'OK' } };
}

const notFound = (digest: string): AgentResponse => ({
  status: 404,
  body: { message: 'Certificate Not Found', details: `No certificate with filename: ${digest}.pem` },
});
