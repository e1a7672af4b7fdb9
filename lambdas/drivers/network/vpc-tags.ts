// Tags of what the network driver makes, and the question for them.
import type { Filter, ResourceType, TagSpecification } from '@aws-sdk/client-ec2';

const deploymentKey = 'octavia-serverless';
const amphoraKey = 'octavia:amphora-id';
const loadBalancerKey = 'octavia:load-balancer-id';
const addressKey = 'octavia:vip-address';

export const taggedFor = (
  ResourceType: ResourceType,
  deployment: string,
  loadBalancerId: string,
  amphoraId?: string,
): TagSpecification[] => [
  {
    ResourceType,
    Tags: [
      { Key: 'Name', Value: `${deployment} load balancer ${loadBalancerId}` },
      { Key: deploymentKey, Value: deployment },
      { Key: loadBalancerKey, Value: loadBalancerId },
      ...(amphoraId === undefined ? [] : [{ Key: amphoraKey, Value: amphoraId }]),
    ],
  },
];

/** A load balancer may have several, each for one address of it. */
export const taggedForAddress = (deployment: string, loadBalancerId: string, address: string): TagSpecification[] =>
  taggedFor('elastic-ip', deployment, loadBalancerId).map(({ Tags = [], ...one }) => ({
    ...one,
    Tags: [...Tags, { Key: addressKey, Value: address }],
  }));

export const forAddress = (address: string): Filter => ({ Name: `tag:${addressKey}`, Values: [address] });

export const madeFor = (deployment: string, loadBalancerId: string): Filter[] => [
  { Name: `tag:${deploymentKey}`, Values: [deployment] },
  { Name: `tag:${loadBalancerKey}`, Values: [loadBalancerId] },
];

/** Whatever was made for any load balancer. */
export const madeForAny = (deployment: string): Filter[] => [
  { Name: `tag:${deploymentKey}`, Values: [deployment] },
  { Name: 'tag-key', Values: [loadBalancerKey] },
];

type Tags = { Key?: string; Value?: string }[] | undefined;
export const loadBalancersOf = (all: Tags[]): string[] =>
  all.flatMap((tags = []) => tags.flatMap(({ Key, Value }) => (Key === loadBalancerKey && Value ? [Value] : [])));

export const forAmphora = (amphoraId: string): Filter => ({ Name: `tag:${amphoraKey}`, Values: [amphoraId] });

export const isOf = (deployment: string, tags: { Key?: string; Value?: string }[] = []): boolean =>
  tags.some(({ Key, Value }) => Key === deploymentKey && Value === deployment);
export const isFor = (loadBalancerId: string, tags: { Key?: string; Value?: string }[] = []): boolean =>
  tags.some(({ Key, Value }) => Key === loadBalancerKey && Value === loadBalancerId);
