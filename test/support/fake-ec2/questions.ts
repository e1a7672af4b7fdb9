// What a request says: lists, tags, filters and pages.
import type { FakeAccount, Tag } from './account.ts';
import { Ec2Fault } from './fault.ts';
import type { Parameters, Value } from './query.ts';

export const asList = (value: Value | undefined): Value[] =>
  value === undefined ? [] : Array.isArray(value) ? value : [value];
export const asTexts = (value: Value | undefined): string[] => asList(value) as string[];

export function need(parameters: Parameters, name: string): string {
  const value = parameters[name];
  if (typeof value === 'string' && value !== '') return value;
  throw new Ec2Fault('MissingParameter', `The request must contain the parameter ${name}`);
}

/** Of a resource of one type; others are for what is made along with it. */
export function tagsFor(parameters: Parameters, type: string): Tag[] {
  const specifications = asList(parameters['TagSpecification']) as { ResourceType: string; Tag: Value }[];
  const tags = specifications.filter(({ ResourceType }) => ResourceType === type).flatMap(({ Tag }) => asList(Tag));
  return tags.map((tag) => ({
    key: (tag as Parameters)['Key'] as string,
    value: (tag as Parameters)['Value'] as string,
  }));
}

/** From where the last page ended. */
export function paged<T>(account: FakeAccount, parameters: Parameters, rows: T[]): { rows: T[]; nextToken?: string } {
  const begin = Number(parameters['NextToken'] ?? 0);
  const end = begin + Math.min(account.pageSize, Number(parameters['MaxResults'] ?? 1_000));
  return { rows: rows.slice(begin, end), ...(end < rows.length && { nextToken: String(end) }) };
}

export interface Attributes {
  [filter: string]: string[];
}

/** All filters have to be met, each by any of its values. */
export function isFound(parameters: Parameters, tags: Tag[], attributes: Attributes): boolean {
  return (asList(parameters['Filter']) as { Name: string; Value: Value }[]).every(({ Name, Value }) => {
    const values = asTexts(Value);
    if (Name === 'tag-key') return tags.some(({ key }) => values.includes(key));
    if (Name.startsWith('tag:')) return tags.some(({ key, value }) => `tag:${key}` === Name && values.includes(value));
    if (!(Name in attributes)) throw new Ec2Fault('InvalidParameterValue', `The filter '${Name}' is invalid`);
    return attributes[Name]!.some((one) => values.some((value) => isLike(value, one)));
  });
}

const isLike = (pattern: string, text: string): boolean =>
  new RegExp(`^${pattern.replace(/[.+^${}()|[\]\\]/g, '\\$&').replaceAll('*', '.*')}$`).test(text);
