// Which AMI amphorae are made of: Glance's newest image with a tag, in Octavia.
import { DescribeImagesCommand, type DescribeImagesCommandInput, type EC2Client } from '@aws-sdk/client-ec2';
import { DriverError } from '../../domain/errors.ts';
import { asking } from '../ec2-errors.ts';

/** Flavors choose among images by this tag; its values are theirs to name. */
export const imageTag = 'octavia:image-tag';

/**
 * `ami-...`: that one; `tag:VALUE`: the newest of the account with that value of the tag; `name:OWNER/PATTERN`: the newest of another
 * account, such as a distribution's.
 */
type ImageRule = string;

const remembersMs = 60_000;

export class Ec2Images {
  readonly #client: () => EC2Client;
  readonly #clock: { now(): number };
  readonly #rule: ImageRule;
  readonly #found = new Map<string, { id: string; until: number }>();

  constructor(client: () => EC2Client, clock: { now(): number }, rule: ImageRule) {
    this.#client = client;
    this.#clock = clock;
    this.#rule = rule;
  }

  /** @throws DriverError when there is none */
  async current(tag: string | null): Promise<string> {
    const rule = tag === null ? this.#rule : `tag:${tag}`;
    if (rule.startsWith('ami-')) return rule;
    const known = this.#found.get(rule);
    if (known && known.until > this.#clock.now()) return known.id;
    const id = await this.#newest(rule);
    this.#found.set(rule, { id, until: this.#clock.now() + remembersMs });
    return id;
  }

  async #newest(rule: ImageRule): Promise<string> {
    const { Images = [] } = await asking(`images of ${rule}`, () =>
      this.#client().send(new DescribeImagesCommand(questionOf(rule))),
    );
    // Dates are ISO 8601: the greatest text is the newest.
    const [newest] = Images.toSorted((a, b) => (a.CreationDate! < b.CreationDate! ? 1 : -1));
    if (newest === undefined)
      throw new DriverError(`there is no image of ${rule}; setting amphora_image says which to take`);
    return newest.ImageId!;
  }
}

function questionOf(rule: ImageRule): DescribeImagesCommandInput {
  const available = { Name: 'state', Values: ['available'] };
  const [, kind, text = ''] = /^(tag|name):(.+)$/.exec(rule) ?? [];
  if (kind === 'tag') return { Owners: ['self'], Filters: [available, { Name: `tag:${imageTag}`, Values: [text] }] };
  const [, owner, pattern] = /^(\w+)\/(.+)$/.exec(text) ?? [];
  if (kind === undefined || owner === undefined)
    throw new DriverError(`setting amphora_image: "${rule}" is neither ami-, tag: nor name:OWNER/PATTERN`);
  return { Owners: [owner], Filters: [available, { Name: 'name', Values: [pattern!] }] };
}
