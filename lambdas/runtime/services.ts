// Everything a handler may reach, handed in: real on AWS, local on one machine, noop in tests.
import type { AmphoraDriver } from '../drivers/amphora/amphora-driver.ts';
import type { CertificateAuthority } from '../drivers/certificates/certificate-authority.ts';
import type { CertificateManager } from '../drivers/certificates/certificate-manager.ts';
import type { ComputeDriver } from '../drivers/compute/compute-driver.ts';
import type { InstanceDirectory } from '../drivers/compute/instance-directory.ts';
import type { EventDriver } from '../drivers/events/event-driver.ts';
import type { FlowDriver } from '../drivers/flows/flow-driver.ts';
import type { NetworkDriver } from '../drivers/network/network-driver.ts';
import type { ObjectStore } from '../drivers/objects/object-store.ts';
import type { QueueDriver } from '../drivers/queue/queue-driver.ts';
import type { Table } from '../drivers/table/table.ts';
import type { Clock } from './clock.ts';
import type { Config } from './config.ts';
import type { NewId } from './ids.ts';
import type { Logger } from './logger.ts';
import type { Metrics } from './metrics.ts';

export interface Services {
  config: Config;
  logger: Logger;
  metrics: Metrics;
  clock: Clock;
  newId: NewId;
  table: Table;
  queue: QueueDriver;
  flows: FlowDriver;
  compute: ComputeDriver;
  /** Machines of users. */
  instances: InstanceDirectory;
  network: NetworkDriver;
  authority: CertificateAuthority;
  /** Certificates of users by reference, as they are served: copies, where there are some. */
  certificates: CertificateManager;
  /** The same where users keep them: what the API judges and housekeeping looks at. */
  certificateSource: CertificateManager;
  amphora: AmphoraDriver;
  events: EventDriver;
  /** Archives of logs. */
  objects: ObjectStore;
  /** Seals what must not lie in the table in the clear: heartbeat keys, private keys. */
  sealer: import('../drivers/certificates/sealer.ts').Sealer;
}
