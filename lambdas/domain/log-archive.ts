// Where archives of logs lie: what belongs to a project under its id, what is for operators apart from all of them.

export interface ArchivePlace {
  amphora_id: string;
  /** `20260301T120000Z`: when the log was begun. */
  begun: string;
  /** Tells it from others of the same second. */
  suffix: string;
}

/** A day is a folder, and in it they are in the order they were begun in. */
function within({ amphora_id, begun, suffix }: ArchivePlace): string {
  const day = [begun.slice(0, 4), begun.slice(4, 6), begun.slice(6, 8)].join('/');
  return `${day}/${begun}-${amphora_id}-${suffix}.log.gz`;
}

/** Project ids may be any text where another Keystone gives them. */
const folder = (text: string): string => text.replaceAll(/[^\w-]/g, '_') || '_';

export const tenantKey = (projectId: string, loadBalancerId: string, place: ArchivePlace): string =>
  `tenant/${folder(projectId)}/${folder(loadBalancerId)}/${within(place)}`;

export const adminKey = (place: ArchivePlace): string => `admin/${place.amphora_id}/${within(place)}`;
