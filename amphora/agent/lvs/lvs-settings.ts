// Where keepalived, ipvsadm and the kernel's table are.
import type { AgentSettings } from '../../agent-api.ts';

export interface LvsSettings {
  keepalivedPath: string;
  ipvsadmPath: string;
  procDirectory: string;
}

export const lvsSettings = (settings: AgentSettings): LvsSettings => ({
  keepalivedPath: settings.keepalived_path ?? '/usr/sbin/keepalived',
  ipvsadmPath: settings.ipvsadm_path ?? '/usr/sbin/ipvsadm',
  procDirectory: settings.proc_directory ?? '/proc',
});
