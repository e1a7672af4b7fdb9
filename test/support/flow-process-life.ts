// What a process of the flow tests stands on: a memory that ends with it, and an authority that costs nothing.
import type { CertificateAuthority } from '../../lambdas/drivers/certificates/certificate-authority.ts';
import type { ExecutionStore } from '../../local/flows/execution-store.ts';
import { FlowHalted } from '../../local/flows/failures.ts';

const paper = { expires_at: '2035-01-01T00:00:00.000000', authority: 'paper' };

/** Signs nothing, at once: what amphorae are born with is not what flows are about. */
export const paperAuthority: CertificateAuthority = {
  trust: async () => ({ version: 1, authorities: [{ id: 'paper', certificate: 'authority' }], signer: 'paper' }),
  caCertificate: async () => 'authority',
  issueAmphora: async (id) => ({ certificate: id, private_key: id, ...paper }),
  client: async () => ({ certificate: '', private_key: '', ...paper }),
  advance: async () => undefined,
};

const records = new Set(['insert', 'saveCheckpoint']);
/** Last words, which nobody waits for. */
const endings = new Set(['end', 'markTold']);

/** A store in which a dead process writes nothing more. */
export function mortal(life: { isDead: boolean }, store: ExecutionStore): ExecutionStore {
  return new Proxy(store, {
    get: (of, method: string) => {
      const value = Reflect.get(of, method);
      if (typeof value !== 'function') return value;
      return (...args: unknown[]) => {
        if (endings.has(method) && life.isDead) return undefined;
        if (records.has(method) && life.isDead) throw new FlowHalted('the process is dead');
        return value.apply(of, args);
      };
    },
  });
}
