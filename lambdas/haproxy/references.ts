// Which certificates a load balancer's configuration needs: the references of those listeners and pools that are rendered.
import type { ListenerRow } from '../domain/listener.ts';
import type { PoolRow } from '../domain/pool.ts';
import { desiredTree, listenersUsing, type Tree } from '../domain/tree.ts';
import { endsTls } from './tls.ts';

export interface CertificateReferences {
  /** Id of the listener or pool. */
  resource_id: string;
  project_id: string;
  /** Of certificates that are shown to the other side. */
  served: string[];
  /** What the other side's certificates are checked against. */
  authority: { reference: string; revocation: string | null } | null;
}

const authorityOf = (reference: string | null, revocation: string | null): CertificateReferences['authority'] =>
  reference === null ? null : { reference, revocation };

const ofListener = (row: ListenerRow): CertificateReferences => ({
  resource_id: row.id,
  project_id: row.project_id,
  served: [row.default_tls_container_ref, ...row.sni_container_refs].filter((one) => one !== null),
  authority: authorityOf(row.client_ca_tls_container_ref, row.client_crl_container_ref),
});

const ofPool = (row: PoolRow): CertificateReferences => ({
  resource_id: row.id,
  project_id: row.project_id,
  served: [row.tls_container_ref].filter((one) => one !== null),
  authority: authorityOf(row.ca_tls_container_ref, row.crl_container_ref),
});

const isUp = ({ admin_state_up }: { admin_state_up: boolean }) => admin_state_up !== false;

export function referencesOf(tree: Tree): CertificateReferences[] {
  const desired = desiredTree(tree);
  if (!isUp(desired.loadBalancer)) return [];
  const pools = desired.pools.filter(
    (pool) => isUp(pool) && pool.tls_enabled && listenersUsing(desired, pool.id).some(isUp),
  );
  return [...desired.listeners.filter((one) => isUp(one) && endsTls(one)).map(ofListener), ...pools.map(ofPool)];
}
