// Certificates for golden configurations: made anew each time, so that no key lies in the tree, and printed as what they are.
import type { Certificates, PemFile, ReadCertificates } from '../../lambdas/haproxy/files.ts';
import { makeIssuer } from './issuers.ts';

const issuer = await makeIssuer('authority');
const revocation_list = await issuer.revocationList();
const issued = new Map<string, Awaited<ReturnType<typeof issuer.issue>>>();

/** A reference that leads to a certificate of that name. */
export const refOf = (name: string): string => `https://keys.example/v1/containers/${name}`;

/** What references made by `refOf` lead to. */
export async function certificatesOf(
  id: string,
  names: string[],
  trust: 'no authority' | 'authority' | 'authority and list' = 'no authority',
): Promise<Certificates> {
  const served = new Map<string, ReadCertificates['served'] extends ReadonlyMap<string, infer S> ? S : never>();
  for (const name of names) {
    const one = issued.get(name) ?? (await issuer.issue(name));
    issued.set(name, one);
    served.set(refOf(name), { ...one, intermediates: [] });
  }
  const authority = {
    certificate: issuer.certificate,
    revocation_list: trust === 'authority and list' ? revocation_list : null,
  };
  return new Map([[id, { served, authority: trust === 'no authority' ? null : authority }]]);
}

/** The text with what the contents are in the place of their digests. */
export function readable(text: string, files: PemFile[]): string {
  return files.reduce((shown, { digest, contents }) => shown.replaceAll(digest, kindOf(contents)), text);
}

function kindOf(contents: string): string {
  if (contents.includes('PRIVATE KEY')) return '<certificate and key>';
  if (contents.includes('X509 CRL')) return '<revocation list>';
  return contents.includes('CERTIFICATE') ? '<authority>' : `<${contents.trim().split('\n').length} certificates>`;
}
