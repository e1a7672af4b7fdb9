// Stick tables as the Runtime API shows and takes them. HAProxy's peers hand them on as a rule; this is how an agent keeps what they do
// not hand on. Pure.

export interface Session {
  table: string;
  /** An address, or a digest in hexadecimal digits. */
  key: string;
  /** By name, since another process may number members otherwise. */
  member: string;
}

/** Backend and id of a member, by the names of both; of `show servers state`. */
export type MemberNumbers = Map<string, number>;

export function readMemberNumbers(state: string): MemberNumbers {
  const rows = state.split('\n').map((line) => line.split(' '));
  return new Map(
    rows.flatMap(([, backend, id, name]) => (/^\d+$/.test(id ?? '') ? [[`${backend}/${name}`, Number(id)]] : [])),
  );
}

/** Tables with entries; of `show table`. */
export function tablesInUse(tables: string): string[] {
  const found = [...tables.matchAll(/^# table: ([^,]+), .*\bused:(\d+)/gm)];
  return found.filter(([, , used]) => Number(used) > 0).map(([, name]) => name!);
}

/** Of `show table <name>`; entries that lead to no member, such as counters of requests, are none. */
export function readSessions(table: string, entries: string, numbers: MemberNumbers): Session[] {
  const names = new Map([...numbers].map(([name, id]) => [`${name.slice(0, name.indexOf('/'))}/${id}`, name]));
  const found = [...entries.matchAll(/ key=([0-9A-Fa-f:.]+) .*\bserver_id=(\d+)(?: server_key=(\S+))?/g)];
  return found.flatMap(([, key, id, named = '-']) => {
    const member = named === '-' ? names.get(`${table}/${id}`) : `${table}/${named}`;
    return member === undefined || id === '0' ? [] : [{ table, key: key!, member }];
  });
}

/** What brings a table to what is remembered: an entry that was made meanwhile gives way, since its member is another one. */
export function commandsToTeach(remembered: Session[], known: Session[], numbers: MemberNumbers): string[] {
  const members = new Map(known.map(({ table, key, member }) => [`${table} ${key}`, member]));
  return remembered.flatMap(({ table, key, member }) => {
    const id = numbers.get(member);
    const present = members.get(`${table} ${key}`);
    if (id === undefined || present === member) return [];
    const told = `set table ${table} key ${key} data.server_id ${id}`;
    return present === undefined ? [told] : [`clear table ${table} key ${key}`, told];
  });
}

/** Saying one entry again has HAProxy tell its peers everything it was taught before, which it keeps to itself otherwise. */
export function commandToAnnounce(known: Session[], numbers: MemberNumbers): string[] {
  const told = known.find(({ member }) => numbers.has(member));
  return told ? [`set table ${told.table} key ${told.key} data.server_id ${numbers.get(told.member)}`] : [];
}
