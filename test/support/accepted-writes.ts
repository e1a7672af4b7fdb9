// What a client knows after its writes: what the API accepted is there, what it refused is not, and a write whose answer was cut
// off may have happened or not.
import { type OctaviaClient, Refused, type Resource } from './octavia-client.ts';

export type Outcome = 'accepted' | 'refused' | 'unknown';
type Existence = 'there' | 'gone' | 'either';

/** A resource of which there is one by this name. */
export interface Expected {
  collection: string;
  name: string;
  /** Unknown as long as the answer to its creation is. */
  id: string | undefined;
  existence: Existence;
  /** What its description may be. */
  descriptions: string[];
}

const tableIsAway = 503;

/** Refusals that have a reason other than a fault: something is busy or was changed meanwhile. */
const isFair = ({ status }: Refused): boolean => status === 409;

export class AcceptedWrites {
  readonly expected: Expected[] = [];
  /** What must not happen whatever is killed. */
  readonly faults: string[] = [];
  readonly #isTableAway: boolean;
  readonly counts: Record<Outcome, number> = { accepted: 0, refused: 0, unknown: 0 };

  /** @param isTableAway now and then: whether such a write was made nobody can say */
  constructor({ isTableAway = false } = {}) {
    this.#isTableAway = isTableAway;
  }

  async create(api: OctaviaClient, collection: string, attributes: Record<string, unknown>): Promise<Expected> {
    const name = String(attributes['name']);
    const one: Expected = { collection, name, id: undefined, existence: 'either', descriptions: [''] };
    this.expected.push(one);
    const make =
      collection === 'loadbalancers' ? api.createLoadBalancer(attributes) : api.create(collection, attributes);
    const outcome = await this.outcomeOf(
      `create ${name}`,
      make.then(({ id }) => {
        one.id = id;
      }),
    );
    one.existence = { accepted: 'there', refused: 'gone', unknown: 'either' }[outcome] as Existence;
    return one;
  }

  async describe(api: OctaviaClient, one: Expected, description: string): Promise<void> {
    const outcome = await this.outcomeOf(`update ${one.name}`, api.update(one.collection, one.id!, { description }));
    if (outcome === 'accepted') one.descriptions = [description];
    if (outcome === 'unknown') one.descriptions.push(description);
  }

  /** @param below what goes with it */
  async delete(api: OctaviaClient, one: Expected, below: Expected[] = []): Promise<void> {
    const suffix = one.collection === 'loadbalancers' ? '?cascade=true' : '';
    const outcome = await this.outcomeOf(`delete ${one.name}`, api.delete(one.collection, `${one.id}${suffix}`));
    if (outcome === 'refused') return;
    const existence = outcome === 'accepted' ? 'gone' : 'either';
    for (const each of [one, ...below]) if (each.existence !== 'gone') each.existence = existence;
  }

  async outcomeOf(what: string, write: Promise<unknown>): Promise<Outcome> {
    const outcome = await write.then(
      () => 'accepted' as const,
      (error) => (error instanceof Refused ? this.#refused(what, error) : ('unknown' as const)),
    );
    this.counts[outcome]++;
    return outcome;
  }

  #refused(what: string, error: Refused): Outcome {
    if (this.#isTableAway && error.status === tableIsAway) return 'unknown';
    if (!isFair(error)) this.faults.push(`${what}: ${error.message}`);
    return 'refused';
  }

  /** Compares with what the API lists. @returns everything that was lost, or is there though it cannot be */
  async contradictions(api: OctaviaClient): Promise<string[]> {
    const collections = new Set(this.expected.map(({ collection }) => collection));
    const found: string[] = [];
    for (const collection of collections) {
      const listed = await listedIn(api, collection);
      for (const one of this.expected.filter((each) => each.collection === collection)) {
        found.push(
          ...contradictionsOf(
            one,
            listed.filter(({ name }) => name === one.name),
          ),
        );
      }
    }
    return found;
  }
}

/** Members of a pool that went with its load balancer cannot be listed. */
const listedIn = (api: OctaviaClient, collection: string): Promise<Resource[]> =>
  api.list(collection).catch((error) => {
    if (error instanceof Refused && error.status === 404) return [];
    throw error;
  });

function contradictionsOf({ name, existence, descriptions }: Expected, listed: Resource[]): string[] {
  if (listed.length > 1) return [`${name} is there ${listed.length} times`];
  const [shown] = listed;
  if (!shown) return existence === 'there' ? [`${name} was accepted and is lost`] : [];
  if (existence === 'gone') return [`${name} was deleted or refused and is there`];
  const described = 'description' in shown ? String(shown['description']) : '';
  return descriptions.includes(described)
    ? []
    : [`${name} is described "${described}", not ${descriptions.join(' or ')}`];
}
