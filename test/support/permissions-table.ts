// Who may do what, read from the templates: a row for each statement of each role.
import type { Template } from 'aws-cdk-lib/assertions';
import { resourcesOf } from './synthesised.ts';

interface Statement {
  Action: string | string[];
  Resource: unknown;
  Condition?: Record<string, Record<string, unknown>>;
}

/** Logical ids end with eight hexadecimal digits. */
const plain = (id: string): string => id.replace(/[0-9A-F]{8}(?=Arn|$)/, '').replace(/(?<=.)Arn$/, '');

/** `octavia-stateful:ExportsOutputFnGetAttTableCD117FA1ArnE2C8C204` is the table. */
const exported = (name: string): string =>
  plain(name.replace(/^.*:ExportsOutput(?:FnGetAtt|Ref)/, '').replace(/(?:[0-9A-F]{8})$/, ''));

function named(value: unknown): string {
  if (typeof value === 'string') return value;
  const { Ref, ...rest } = value as Record<string, unknown>;
  if (typeof Ref === 'string') return Ref.startsWith('AWS::') ? `<${Ref.slice(5)}>` : plain(Ref);
  const join = rest['Fn::Join'] as [string, unknown[]] | undefined;
  if (join)
    return join[1]
      .map(named)
      .join(join[0])
      .replace(/^arn:<Partition>:/, '')
      .replace(/:<Region>:<AccountId>/, '');
  const attribute = rest['Fn::GetAtt'] as [string, string] | undefined;
  return attribute ? plain(attribute[0]) : exported(String(rest['Fn::ImportValue']));
}

const conditions = ({ Condition = {} }: Statement): string =>
  Object.entries(Condition)
    .flatMap(([operator, keys]) =>
      Object.entries(keys).map(([key, value]) => `${operator} \`${key}\`: ${[value].flat().map(named).join(', ')}`),
    )
    .join('; ');

/** A table and its indexes are one thing here. */
function resources({ Resource }: Statement): string {
  const all = [Resource].flat().map(named);
  const indexes = all.filter((one) => one.includes('/index/'));
  const others = all.filter((one) => !one.includes('/index/'));
  return [...others, ...(indexes.length > 0 ? ['its indexes'] : [])]
    .map((one) => one.replaceAll('*', '\\*'))
    .join(', ');
}

/** `kms: Decrypt, Encrypt` */
function actions({ Action }: Statement): string {
  const byService = Map.groupBy([Action].flat(), (action) => action.split(':')[0]!);
  return [...byService]
    .map(([service, all]) => `${service}: ${all.map((one) => one.split(':')[1]).join(', ')}`)
    .join('; ');
}

export function permissionsTable(templates: Template[]): string {
  const rows = templates.flatMap((template) =>
    Object.values(resourcesOf(template, 'AWS::IAM::Policy')).flatMap(({ Properties }) =>
      (Properties['PolicyDocument'].Statement as Statement[]).map((statement) => {
        const who = named(Properties['Roles'][0]).replace(/(StateMachine)?Role$/, (_, flow) => (flow ? ' (flow)' : ''));
        return `| ${[who, actions(statement), resources(statement), conditions(statement)].join(' | ')} |`;
      }),
    ),
  );
  return ['| who | may | on | only if |', '|---|---|---|---|', ...rows.toSorted()].join('\n');
}
