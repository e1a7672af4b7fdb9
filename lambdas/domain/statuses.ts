// Octavia's two status machines.

export const provisioningStatuses = [
  'ACTIVE',
  'PENDING_CREATE',
  'PENDING_UPDATE',
  'PENDING_DELETE',
  'DELETED',
  'ERROR',
] as const;
export type ProvisioningStatus = (typeof provisioningStatuses)[number];

export const operatingStatuses = ['ONLINE', 'OFFLINE', 'DEGRADED', 'ERROR', 'DRAINING', 'NO_MONITOR'] as const;
export type OperatingStatus = (typeof operatingStatuses)[number];

export type AmphoraStatus =
  | 'BOOTING'
  | 'READY'
  | 'ALLOCATED'
  | 'PENDING_DELETE'
  | 'DELETED'
  | 'ERROR'
  | 'FAILOVER_STOPPED';
export type AmphoraRole = 'STANDALONE' | 'MASTER' | 'BACKUP';

export const isPending = (status: ProvisioningStatus): boolean => status.startsWith('PENDING_');
