// The state of members handed from the old worker to the new one at a reload, so that a member that is down stays down
// until its health monitor says otherwise.
import type { Outline } from './config-diff.ts';
import { isSame, memberKey } from './config-diff.ts';

/**
 * Of `show servers state`, what may overrule the new text: the health of members that did not change. Weights and
 * administrative states that were set through the Runtime API are written as the text has them, because HAProxy prefers
 * this file to its configuration.
 */
export function serversStateFor(state: string, current: Outline, next: Outline): string {
  const [version = '1', heading = '', ...rows] = state.trim().split('\n');
  const columns = heading.replace(/^#\s*/, '').split(' ');
  const at = (name: string) => columns.indexOf(name);
  const kept = rows.flatMap((row) => {
    const cells = row.split(' ');
    const key = memberKey({ backend: cells[at('be_name')] ?? '', name: cells[at('srv_name')] ?? '' });
    const before = current.members.get(key);
    const after = next.members.get(key);
    if (!before || !after || !isSame(before, after) || after.isDisabled) return [];
    cells[at('srv_admin_state')] = '0';
    cells[at('srv_uweight')] = cells[at('srv_iweight')] = String(after.weight);
    return [cells.join(' ')];
  });
  return `${[version, heading, ...kept].join('\n')}\n`;
}
