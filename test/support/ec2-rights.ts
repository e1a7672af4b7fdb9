// What the templates let functions do, a right for each action and resource, and what they are told.
import { type FunctionName, specOf } from '../../infra/functions.ts';
import { resolved, resourcesOf, type Synthesised, targetOf } from './synthesised.ts';

interface Statement {
  Action: string | string[];
  Resource: unknown;
  Condition?: Record<string, Record<string, unknown>>;
}

function nameOfRole(stacks: Synthesised): Map<string, FunctionName> {
  const functions = Object.values(resourcesOf(stacks.controlPlane, 'AWS::Lambda::Function'));
  return new Map(
    functions.map(({ Properties }) => [
      targetOf(Properties['Role']),
      String(Properties['Description']).replace('octavia: ', '') as FunctionName,
    ]),
  );
}

/** Statements of EC2 and of whose role may be passed, by function. */
export function allowed(
  stacks: Synthesised,
): { name: FunctionName; action: string; resource: string; statement: Statement }[] {
  const names = nameOfRole(stacks);
  return Object.values(resourcesOf(stacks.controlPlane, 'AWS::IAM::Policy')).flatMap(({ Properties }) => {
    const name = names.get(targetOf(Properties['Roles'][0]));
    if (name === undefined) return [];
    return (Properties['PolicyDocument'].Statement as Statement[]).flatMap((statement) =>
      [statement.Action]
        .flat()
        .flatMap((action) =>
          [statement.Resource].flat().map((resource) => ({ name, action, resource: resolved(resource), statement })),
        ),
    );
  });
}

/** Rights on EC2 and to pass roles; those Lambda itself asks for functions in the VPC are not of amphorae. */
export const onEc2 = (stacks: Synthesised) =>
  allowed(stacks).filter(({ name, action }) => /^(ec2|iam):/.test(action) && !specOf(name).inVpc);
/** Of the function of that name. */
export const environmentOf = (stacks: Synthesised, wanted: FunctionName): Record<string, unknown> => {
  const functions = Object.values(resourcesOf(stacks.controlPlane, 'AWS::Lambda::Function'));
  const found = functions.find(({ Properties }) => Properties['Description'] === `octavia: ${wanted}`);
  return found!.Properties['Environment'].Variables;
};
