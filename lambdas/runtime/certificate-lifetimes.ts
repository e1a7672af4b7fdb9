// How long the certificates of amphorae and of the control plane hold, from the settings.
import type { Lifetimes } from '../drivers/certificates/local-authority.ts';
import type { Config } from './config.ts';

export const lifetimesOf = (config: Config): Lifetimes => ({
  certificateMs: config.certificate_validity_ms,
  authorityMs: config.authority_validity_ms,
  renewalMs: config.authority_renewal_ms,
  overlapMs: config.authority_overlap_ms,
});
