// L7 policies: what a listener does with requests that its rules match.
import { boolean, integer, listOf, nested, oneOf, oneOfNumbers, tags, text, uuid } from './attribute-types.ts';
import { ApiError, invalid } from './errors.ts';
import { type Created, resource } from './resource.ts';
import { owner, type Row, refs } from './row.ts';
import { redirectUrl } from './urls.ts';

export const actions = ['REJECT', 'REDIRECT_TO_URL', 'REDIRECT_TO_POOL', 'REDIRECT_PREFIX'] as const;
export type L7Action = (typeof actions)[number];

/** Beyond any end: a policy without a position comes last. */
export const lastPosition = 2_147_483_647;

export const l7Policy = resource({
  root: 'l7policy',
  plural: 'l7policies',
  argument: 'l7policy_',
  title: 'L7Policy',
  attributes: {
    listener_id: { type: uuid(), on: 'create', required: true },
    action: { type: oneOf(...actions), on: 'create+update', required: true, nullable: false },
    redirect_pool_id: { type: uuid(), on: 'create+update' },
    redirect_pool: { type: nested(), on: 'create' },
    redirect_url: { type: redirectUrl(), on: 'create+update' },
    redirect_prefix: { type: redirectUrl(), on: 'create+update' },
    redirect_http_code: { type: oneOfNumbers(301, 302, 303, 307, 308), on: 'create+update' },
    position: { type: integer(1, lastPosition), on: 'create+update', default: lastPosition },
    project_id: { type: text(36), on: 'create' },
    name: { type: text(), on: 'create+update', default: '' },
    description: { type: text(), on: 'create+update', default: '' },
    admin_state_up: { type: boolean(), on: 'create+update', default: true },
    rules: { type: listOf(nested()), on: 'create', default: [] },
    tags: { type: tags(), on: 'create+update', default: [] },
  },
});

type Attributes = Created<typeof l7Policy.attributes>;
export interface L7PolicyRow extends Row, Omit<Attributes, 'project_id' | 'rules' | 'redirect_pool'> {
  /** In the order they were made. */
  rule_ids: string[];
}

type Targets = Pick<
  L7PolicyRow,
  'action' | 'redirect_pool_id' | 'redirect_url' | 'redirect_prefix' | 'redirect_http_code'
>;

const targetActions = {
  redirect_pool_id: 'REDIRECT_TO_POOL',
  redirect_url: 'REDIRECT_TO_URL',
  redirect_prefix: 'REDIRECT_PREFIX',
} as const;
type TargetName = keyof typeof targetActions;
const targetNames = Object.keys(targetActions) as TargetName[];

const wrongArguments = (reason: string) => new ApiError(400, `Invalid L7 Policy arguments: ${reason}`);

/**
 * Action and target as they are to be stored: a target that is given implies its action and displaces the others.
 * @param before what an update starts from; undefined for a create
 * @throws ApiError 400 for a pool together with another target, or an action without its target
 */
export function settledTargets(given: Partial<Targets>, before?: Targets): Targets {
  const named = targetNames.filter((name) => (given[name] ?? null) !== null);
  if (named.includes('redirect_pool_id') && named.length > 1) {
    throw wrongArguments('Cannot specify redirect_pool_id and redirect_url or redirect_prefix at the same time');
  }
  const target = named[0];
  const action: L7Action = target ? targetActions[target] : (given.action ?? before?.action ?? 'REJECT');
  const wanted = targetNames.find((name) => targetActions[name] === action);
  // A null that was sent takes the target away; one that was not sent leaves what there was.
  const targetOf = (name: TargetName) => (name in given ? (given[name] ?? null) : (before?.[name] ?? null));
  const targets = {
    redirect_pool_id: wanted === 'redirect_pool_id' ? targetOf('redirect_pool_id') : null,
    redirect_url: wanted === 'redirect_url' ? targetOf('redirect_url') : null,
    redirect_prefix: wanted === 'redirect_prefix' ? targetOf('redirect_prefix') : null,
  };
  if (wanted !== undefined && targets[wanted] === null) {
    throw wrongArguments(`${wanted === 'redirect_pool_id' ? `${wanted} or redirect_pool` : wanted} must not be None`);
  }
  const isRedirect = wanted === 'redirect_url' || wanted === 'redirect_prefix';
  if (!isRedirect && (given.redirect_http_code ?? null) !== null && wanted !== undefined) {
    throw invalid('redirect_http_code is a valid option only for REDIRECT_TO_URL and REDIRECT_PREFIX');
  }
  // A null resets it.
  const code = given.redirect_http_code === undefined ? before?.redirect_http_code : given.redirect_http_code;
  return { action, ...targets, redirect_http_code: isRedirect ? (code ?? 302) : null };
}

/** A policy takes effect only when it is enabled and asks for something. */
export const takesEffect = (row: L7PolicyRow): boolean => row.admin_state_up && row.rule_ids.length > 0;

export function l7PolicyResponse(row: L7PolicyRow) {
  return {
    id: row.id,
    name: row.name,
    description: row.description,
    provisioning_status: row.provisioning_status,
    operating_status: row.operating_status,
    admin_state_up: row.admin_state_up,
    ...owner(row),
    action: row.action,
    listener_id: row.listener_id,
    redirect_pool_id: row.redirect_pool_id,
    redirect_url: row.redirect_url,
    redirect_prefix: row.redirect_prefix,
    position: row.position,
    rules: refs(row.rule_ids),
    created_at: row.created_at,
    updated_at: row.updated_at,
    tags: row.tags,
    redirect_http_code: row.redirect_http_code,
  };
}
