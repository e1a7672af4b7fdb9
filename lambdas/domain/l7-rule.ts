// L7 rules: what a request must be like for its policy to apply; all rules of a policy must hold.
import { boolean, oneOf, pattern, tags, text } from './attribute-types.ts';
import { ApiError } from './errors.ts';
import { type Created, resource } from './resource.ts';
import { owner, type Row } from './row.ts';

export const ruleTypes = [
  'HOST_NAME',
  'PATH',
  'FILE_TYPE',
  'HEADER',
  'COOKIE',
  'SSL_CONN_HAS_CERT',
  'SSL_VERIFY_RESULT',
  'SSL_DN_FIELD',
] as const;
export const compareTypes = ['REGEX', 'STARTS_WITH', 'ENDS_WITH', 'CONTAINS', 'EQUAL_TO'] as const;
export const rulesPerPolicy = 50;

const oneLine = () => pattern(/^[^\r\n]*$/, 255, 'Value must not contain line breaks');

export const l7Rule = resource({
  root: 'rule',
  plural: 'rules',
  argument: 'rule_',
  title: 'L7Rule',
  attributes: {
    type: { type: oneOf(...ruleTypes), on: 'create+update', required: true, nullable: false },
    compare_type: { type: oneOf(...compareTypes), on: 'create+update', required: true, nullable: false },
    value: { type: oneLine(), on: 'create+update', required: true, nullable: false },
    key: { type: oneLine(), on: 'create+update' },
    invert: { type: boolean(), on: 'create+update', default: false },
    project_id: { type: text(36), on: 'create' },
    admin_state_up: { type: boolean(), on: 'create+update', default: true },
    tags: { type: tags(), on: 'create+update', default: [] },
  },
});

type Attributes = Created<typeof l7Rule.attributes>;
export interface L7RuleRow extends Row, Omit<Attributes, 'project_id'> {
  l7policy_id: string;
}
type Judged = Pick<L7RuleRow, 'type' | 'compare_type' | 'value' | 'key'>;

const wrong = (reason: string) => new ApiError(400, `Error parsing L7Rule: ${reason}`);

/** Names of headers and cookies (RFC 9110 token). */
const token = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
/** Values of headers: visible characters, or a quoted string. */
const headerValue = /^("[^"\r\n]*"|[\x21-\x7e\u00a1-\uffff]+)$/;
const cookieValue = /^("[^"\r\n]*"|[\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]+)$/;
const dnField = /^[a-zA-Z][A-Za-z0-9-]*$/;

function checkRegex(value: string): void {
  try {
    new RegExp(value);
  } catch (cause) {
    throw new ApiError(400, `Error parsing L7Rule: Not a valid regular expression in rule: ${value}`, { cause });
  }
}

function compareTypesOf(type: L7RuleRow['type']): readonly string[] {
  if (type === 'FILE_TYPE') return ['REGEX', 'EQUAL_TO'];
  if (type === 'SSL_CONN_HAS_CERT' || type === 'SSL_VERIFY_RESULT') return ['EQUAL_TO'];
  return compareTypes;
}

function checkKey({ type, key }: Judged): void {
  if (type === 'HEADER' || type === 'COOKIE') {
    if (!key) throw wrong(`Must specify a key for rule type ${type}`);
    if (!token.test(key)) throw wrong(`Invalid characters in key: ${key}`);
  } else if (type === 'SSL_DN_FIELD') {
    if (!key || !dnField.test(key)) throw wrong('Must specify a distinguished name field as key');
  } else if (type.startsWith('SSL_') && key) {
    throw wrong(`Key must not be specified for rule type ${type}`);
  }
}

function checkValue({ type, compare_type, value }: Judged): void {
  if (type === 'SSL_CONN_HAS_CERT' && value.toLowerCase() !== 'true')
    throw wrong('Value must be True for SSL_CONN_HAS_CERT');
  if (type === 'SSL_VERIFY_RESULT' && !/^\d+$/.test(value))
    throw wrong('Value must be a positive integer for SSL_VERIFY_RESULT');
  if (type.startsWith('SSL_') && type !== 'SSL_DN_FIELD') return;
  if (compare_type === 'REGEX') {
    checkRegex(value);
    return;
  }
  const allowed = type === 'COOKIE' ? cookieValue : headerValue;
  if (!allowed.test(value)) throw wrong(`Invalid value characters: ${value}`);
}

/** The rule as it is to be stored: a key that its type has no use for is dropped. @throws ApiError 400 */
export function settledRule<R extends Judged>(rule: R): R {
  if (!compareTypesOf(rule.type).includes(rule.compare_type)) {
    throw wrong(`Compare type ${rule.compare_type} is not valid for rule type ${rule.type}`);
  }
  checkKey(rule);
  checkValue(rule);
  const hasKey = rule.type === 'HEADER' || rule.type === 'COOKIE' || rule.type === 'SSL_DN_FIELD';
  return { ...rule, key: hasKey ? rule.key : null };
}

export function l7RuleResponse(row: L7RuleRow) {
  return {
    id: row.id,
    type: row.type,
    compare_type: row.compare_type,
    key: row.key,
    value: row.value,
    invert: row.invert,
    provisioning_status: row.provisioning_status,
    operating_status: row.operating_status,
    created_at: row.created_at,
    updated_at: row.updated_at,
    ...owner(row),
    admin_state_up: row.admin_state_up,
    tags: row.tags,
  };
}
