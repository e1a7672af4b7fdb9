// Work on many, each on its own: what cannot be done for one, now or ever, keeps nobody else from their turn.

/** @throws AggregateError after all had their turn */
export async function eachInTurn<T>(what: string, all: Iterable<T>, work: (one: T) => Promise<unknown>): Promise<void> {
  const failures: unknown[] = [];
  for (const one of all) {
    try {
      await work(one);
    } catch (error) {
      failures.push(error);
    }
  }
  if (failures.length === 0) return;
  const [first] = failures;
  const reason = first instanceof Error ? first.message : String(first);
  throw new AggregateError(failures, `${what}, ${failures.length} times, first because of ${reason}`);
}
