// What EC2 tells a machine of itself, by IMDSv2: version 1, which needs no token, is off on amphorae.
const timeoutMs = 2_000;
const tokenLifetimeSeconds = 60;

/** EC2's metadata do not answer, or not as they should. */
export class MetadataUnavailable extends Error {
  override readonly name = 'MetadataUnavailable';
}

export interface InstanceMetadata {
  /** The primary private IPv4 address of the first interface: others come and go with VIPs. @throws MetadataUnavailable */
  localAddress(): Promise<string>;
}

async function ask(url: string, init: RequestInit): Promise<string> {
  const answer = await fetch(url, { ...init, signal: AbortSignal.timeout(timeoutMs) }).catch((cause) => {
    throw new MetadataUnavailable('the instance metadata service does not answer', { cause });
  });
  const text = await answer.text();
  if (!answer.ok) throw new MetadataUnavailable(`the instance metadata service answers ${answer.status}`);
  return text.trim();
}

/** @param base without a slash at its end */
export const instanceMetadata = (base: string): InstanceMetadata => ({
  async localAddress() {
    const lifetime = { 'x-aws-ec2-metadata-token-ttl-seconds': String(tokenLifetimeSeconds) };
    const token = await ask(`${base}/latest/api/token`, { method: 'PUT', headers: lifetime });
    return ask(`${base}/latest/meta-data/local-ipv4`, { headers: { 'x-aws-ec2-metadata-token': token } });
  },
});
