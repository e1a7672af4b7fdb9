// Machines of Auto Scaling groups whose tags say of which pools they are to be members.

export interface Registration {
  pool_id: string;
  protocol_port: number;
}

/** Of whom the pools have to be. */
export const projectTag = 'octavia:project-id';
/** Pools, separated by commas or spaces, each with its port after a colon where it has one of its own. */
export const poolTag = 'octavia:pool-id';
/** Of pools that have none of their own. */
export const portTag = 'octavia:member-port';

export class UnreadableTags extends Error {
  override readonly name = 'UnreadableTags';
}

function portOf(text: string | undefined, what: string): number {
  const port = Number(text);
  if (!Number.isInteger(port) || port < 1 || port > 65_535)
    throw new UnreadableTags(`${what} has no port: "${text ?? ''}"`);
  return port;
}

/** Undefined for a machine that is to be no member. @throws UnreadableTags */
export function registrationsIn(
  tags: Record<string, string>,
): { project_id: string; registrations: Registration[] } | undefined {
  const pools = (tags[poolTag] ?? '').split(/[\s,]+/).filter(Boolean);
  if (pools.length === 0) return undefined;
  const project_id = tags[projectTag];
  if (!project_id) throw new UnreadableTags(`tag ${projectTag} is missing: the project the pools are of`);
  const registrations = pools.map((pool) => {
    const [pool_id = '', own] = pool.split(':');
    return { pool_id: pool_id.toLowerCase(), protocol_port: portOf(own ?? tags[portTag], `pool ${pool_id}`) };
  });
  return { project_id, registrations };
}
