// Process amphorae of a test: the driver on a state directory and a range of loopback addresses of its own, with the real
// agent and the real HAProxy behind it, and the means to see what is left of them.
import { randomBytes, randomInt, randomUUID } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { clientName } from '../../lambdas/drivers/certificates/certificate-authority.ts';
import { LocalCertificateAuthority } from '../../lambdas/drivers/certificates/local-authority.ts';
import type { AmphoraBoot } from '../../lambdas/drivers/compute/compute-driver.ts';
import { SqliteTable } from '../../lambdas/drivers/table/sqlite.ts';
import { ProcessComputeDriver, type ProcessComputeOptions } from '../../local/compute/process-compute.ts';

export const haproxyPath = '/usr/sbin/haproxy';

export const authority = new LocalCertificateAuthority({
  table: new SqliteTable({ path: ':memory:' }),
  encryptionKey: randomBytes(32),
  clock: { now: () => Date.now() },
});

export async function bootOf(amphora_id: string = randomUUID()): Promise<AmphoraBoot> {
  const issued = await authority.issueAmphora(amphora_id, Date.now());
  return {
    amphora_id,
    server_certificate: issued.certificate,
    server_private_key: issued.private_key,
    ca_certificate: await authority.caCertificate(),
    heartbeat_key: randomBytes(32).toString('hex'),
    availability_zone: null,
    compute_flavor: null,
    image_tag: null,
  };
}

/** A service that starts on a host. */
export function serviceOn(
  state: string,
  cidr: string,
  more: Partial<ProcessComputeOptions> = {},
): ProcessComputeDriver {
  const agent = {
    client_name: clientName,
    heartbeat_interval_ms: 60_000,
    // Nobody listens on port 9 (discard): these tests are not about heartbeats.
    heartbeat_queue_url: 'http://127.0.0.1:9/heartbeats',
    sqs_endpoint: 'http://127.0.0.1:9',
    region: 'us-east-1',
    haproxy_path: haproxyPath,
    hard_stop_after_ms: 1_000,
    max_connections: 100,
  };
  const agentFile = join(import.meta.dirname, '../../amphora/agent/main.ts');
  return new ProcessComputeDriver({ state, cidr, agentFile, agent, ...more });
}

/** One machine; every driver made on it is a service that starts there. */
export class TestHost {
  readonly state = realpathSync(mkdtempSync(join(tmpdir(), 'compute-')));
  readonly cidr = `127.${randomInt(100, 250)}.${randomInt(0, 256)}.0/24`;

  service(): ProcessComputeDriver {
    return serviceOn(this.state, this.cidr);
  }

  /** Command lines and working directories of every process that has to do with this host. */
  processes(): { pid: number; command: string }[] {
    const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
    return pids.flatMap((name) => {
      try {
        const command = readFileSync(`/proc/${name}/cmdline`, 'utf8').replaceAll('\0', ' ');
        const where = realpathSync(`/proc/${name}/cwd`);
        return `${command} ${where}`.includes(this.state) ? [{ pid: Number(name), command }] : [];
      } catch {
        return [];
      }
    });
  }

  get haproxies(): number[] {
    return this.processes()
      .filter(({ command }) => command.startsWith(haproxyPath))
      .map(({ pid }) => pid);
  }

  async close(): Promise<void> {
    await this.service().stopAll(0);
    rmSync(this.state, { recursive: true, force: true });
  }
}
