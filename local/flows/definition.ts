// Loads a flow of state-machines/: every field is either understood and compiled, or refused with its file, state and name.
import { compileRule, type Holds } from './choice.ts';
import type { Retrier } from './failures.ts';
import { compilePath, compileResultPath, compileTemplate, type Read, type Write } from './paths.ts';
import { asNumber, asObject, asString, asStrings, type Json, onlyKnown, type Place, refuse } from './refusal.ts';

export interface Machine {
  startAt: string;
  states: Map<string, State>;
  timeoutSeconds: number | undefined;
}

export interface Catcher {
  errorEquals: string[];
  next: string;
  write: Write;
}

/** What a state does between its input and its output. */
export type Action =
  | { type: 'Task'; resource: string; timeoutSeconds: number | undefined }
  | { type: 'Child'; flow: string; timeoutSeconds: number | undefined }
  | { type: 'Pass'; result: unknown; hasResult: boolean }
  | { type: 'Wait'; seconds: Read }
  | { type: 'Choice'; rules: { holds: Holds; next: string }[]; otherwise: string | undefined }
  | { type: 'Succeed' }
  | { type: 'Fail'; error: Read; cause: Read }
  | { type: 'Parallel'; branches: Machine[] }
  | { type: 'Map'; items: Read; selector: Read | undefined; processor: Machine; maxConcurrency: number };

export interface State {
  name: string;
  action: Action;
  /** Reads of the input; undefined stands for `$`, null for an empty object. */
  inputPath: Read | null | undefined;
  parameters: Read | undefined;
  resultSelector: Read | undefined;
  write: Write;
  outputPath: Read | null | undefined;
  retriers: Retrier[];
  catchers: Catcher[];
  /** undefined: the flow or branch ends here. */
  next: string | undefined;
}

/** What a definition may refer to. */
export interface Known {
  isTask(resource: string): boolean;
  /** Name of the flow behind a state machine ARN. */
  flowOf(arn: string): string | undefined;
}

const always = ['Type', 'Comment'];
const inOut = ['InputPath', 'OutputPath'];
const onward = ['Next', 'End'];
const result = ['ResultSelector', 'ResultPath', 'Retry', 'Catch'];
const fieldsOf: Record<string, string[]> = {
  Task: [...always, ...inOut, ...onward, ...result, 'Resource', 'Parameters', 'TimeoutSeconds'],
  Pass: [...always, ...inOut, ...onward, 'Parameters', 'Result', 'ResultPath'],
  Wait: [...always, ...inOut, ...onward, 'Seconds', 'SecondsPath'],
  Choice: [...always, ...inOut, 'Choices', 'Default'],
  Succeed: [...always, ...inOut],
  Fail: [...always, 'Error', 'Cause', 'ErrorPath', 'CausePath'],
  Parallel: [...always, ...inOut, ...onward, ...result, 'Parameters', 'Branches'],
  Map: [...always, ...inOut, ...onward, ...result, 'ItemsPath', 'ItemSelector', 'ItemProcessor', 'MaxConcurrency'],
};
const machineFields = ['Comment', 'StartAt', 'States'];
export const childResource = 'arn:aws:states:::states:startExecution.sync:2';
/** More iterations than this at once an inline Map does not run on AWS either. */
const inlineMapConcurrency = 40;

/** @throws FlowRefused */
export function loadMachine(file: string, value: unknown, known: Known): Machine {
  const definition = asObject({ file }, 'top', value);
  onlyKnown({ file }, definition, [...machineFields, 'Version', 'QueryLanguage', 'TimeoutSeconds']);
  if ((definition.QueryLanguage ?? 'JSONPath') !== 'JSONPath')
    refuse({ file }, 'QueryLanguage', 'only JSONPath is run');
  if ((definition.Version ?? '1.0') !== '1.0') refuse({ file }, 'Version', 'only 1.0 is run');
  return { ...loadStates({ file }, definition, known), timeoutSeconds: timeoutOf({ file }, definition) };
}

function loadStates(place: Place, definition: Json, known: Known): Machine {
  const states = asObject(place, 'States', definition.States);
  const startAt = asString(place, 'StartAt', definition.StartAt);
  const machine: Machine = { startAt, states: new Map(), timeoutSeconds: undefined };
  for (const [name, value] of Object.entries(states)) {
    const at = { ...place, state: name };
    machine.states.set(name, loadState(at, asObject(at, 'state', value), known));
  }
  if (!machine.states.has(startAt)) refuse(place, 'StartAt', `there is no state ${startAt}`);
  for (const state of machine.states.values()) {
    const missing = targetsOf(state).find((target) => !machine.states.has(target));
    if (missing !== undefined) refuse({ ...place, state: state.name }, 'Next', `there is no state ${missing}`);
  }
  return machine;
}

function targetsOf({ next, catchers, action }: State): string[] {
  const choices = action.type === 'Choice' ? [...action.rules.map((rule) => rule.next), action.otherwise] : [];
  return [next, ...choices, ...catchers.map((catcher) => catcher.next)].filter((target) => target !== undefined);
}

function loadState(place: Place, value: Json, known: Known): State {
  const type = asString(place, 'Type', value.Type);
  if (!Object.hasOwn(fieldsOf, type)) refuse(place, 'Type', `${type} is not supported`);
  onlyKnown(place, value, fieldsOf[type]!);
  const template = (field: string) =>
    value[field] === undefined ? undefined : compileTemplate(place, field, asObject(place, field, value[field]));
  const isChild = type === 'Task' && value.Resource === childResource;
  return {
    name: place.state!,
    action: loadAction(place, type, value, known),
    inputPath: optionalPath(place, 'InputPath', value.InputPath),
    parameters: isChild ? childParameters(place, value) : template('Parameters'),
    resultSelector: template('ResultSelector'),
    write: compileResultPath(place, value.ResultPath),
    outputPath: optionalPath(place, 'OutputPath', value.OutputPath),
    retriers: loadList(place, 'Retry', value.Retry, loadRetrier),
    catchers: loadList(place, 'Catch', value.Catch, loadCatcher),
    next: fieldsOf[type]!.includes('Next') ? nextOf(place, value) : undefined,
  };
}

function optionalPath(place: Place, field: string, path: unknown): Read | null | undefined {
  return path === undefined || path === null ? path : compilePath(place, field, path);
}

function nextOf(place: Place, value: Json): string | undefined {
  if (value.End !== undefined && value.End !== true) refuse(place, 'End', 'must be true');
  if ((value.End === undefined) === (value.Next === undefined)) refuse(place, 'Next', 'exactly one of Next and End');
  return value.Next === undefined ? undefined : asString(place, 'Next', value.Next);
}

function timeoutOf(place: Place, value: Json): number | undefined {
  return value.TimeoutSeconds === undefined ? undefined : asNumber(place, 'TimeoutSeconds', value.TimeoutSeconds, 1, 1);
}

function loadAction(place: Place, type: string, value: Json, known: Known): Action {
  switch (type) {
    case 'Task':
      return loadTask(place, value, known);
    case 'Pass':
      return { type, result: value.Result, hasResult: value.Result !== undefined };
    case 'Wait':
      return { type, seconds: loadSeconds(place, value) };
    case 'Choice':
      return loadChoice(place, value);
    case 'Fail':
      return { type, error: textOf(place, value, 'Error'), cause: textOf(place, value, 'Cause') };
    case 'Parallel':
      return { type, branches: loadBranches(place, value, known) };
    case 'Map':
      return loadMap(place, value, known);
    default:
      return { type: 'Succeed' };
  }
}

function loadTask(place: Place, value: Json, known: Known): Action {
  const resource = asString(place, 'Resource', value.Resource);
  const timeoutSeconds = timeoutOf(place, value);
  if (resource === childResource) {
    const arn = asObject(place, 'Parameters', value.Parameters).StateMachineArn;
    const flow = known.flowOf(asString(place, 'Parameters.StateMachineArn', arn));
    if (flow === undefined) refuse(place, 'Parameters.StateMachineArn', `there is no flow ${arn}`);
    return { type: 'Child', flow, timeoutSeconds };
  }
  if (!known.isTask(resource)) refuse(place, 'Resource', `there is no function ${resource}`);
  return { type: 'Task', resource, timeoutSeconds };
}

function childParameters(place: Place, value: Json): Read {
  const parameters = asObject(place, 'Parameters', value.Parameters);
  onlyKnown(place, parameters, ['StateMachineArn', 'Input', 'Input.$', 'Name', 'Name.$'], 'Parameters.');
  return compileTemplate(place, 'Parameters', parameters);
}

function loadSeconds(place: Place, value: Json): Read {
  if ((value.Seconds === undefined) === (value.SecondsPath === undefined)) {
    refuse(place, 'Seconds', 'exactly one of Seconds and SecondsPath');
  }
  if (value.SecondsPath !== undefined) return compilePath(place, 'SecondsPath', value.SecondsPath);
  const seconds = asNumber(place, 'Seconds', value.Seconds, 0, 0);
  return () => seconds;
}

function loadChoice(place: Place, value: Json): Action {
  const rules = loadList(place, 'Choices', value.Choices, (at, field, rule) => ({
    holds: compileRule(at, field, rule, false),
    next: asString(at, `${field}.Next`, rule.Next),
  }));
  if (rules.length === 0) refuse(place, 'Choices', 'must not be empty');
  const otherwise = value.Default === undefined ? undefined : asString(place, 'Default', value.Default);
  return { type: 'Choice', rules, otherwise };
}

function textOf(place: Place, value: Json, field: 'Error' | 'Cause'): Read {
  const path = value[`${field}Path`];
  if (path === undefined) {
    const text = value[field] === undefined ? undefined : asString(place, field, value[field]);
    return () => text;
  }
  if (value[field] !== undefined) refuse(place, field, `not together with ${field}Path`);
  return compilePath(place, `${field}Path`, path);
}

function loadBranches(place: Place, value: Json, known: Known): Machine[] {
  const branches = loadList(place, 'Branches', value.Branches, (at, field, branch) => {
    onlyKnown(at, branch, machineFields, `${field}.`);
    return loadStates({ file: at.file }, branch, known);
  });
  if (branches.length === 0) refuse(place, 'Branches', 'must not be empty');
  return branches;
}

function loadMap(place: Place, value: Json, known: Known): Action {
  const processor = asObject(place, 'ItemProcessor', value.ItemProcessor);
  onlyKnown(place, processor, [...machineFields, 'ProcessorConfig'], 'ItemProcessor.');
  const config = asObject(place, 'ItemProcessor.ProcessorConfig', processor.ProcessorConfig ?? {});
  onlyKnown(place, config, ['Mode'], 'ItemProcessor.ProcessorConfig.');
  if ((config.Mode ?? 'INLINE') !== 'INLINE') refuse(place, 'ItemProcessor.ProcessorConfig.Mode', 'only INLINE is run');
  const selector = value.ItemSelector;
  const wanted = asNumber(place, 'MaxConcurrency', value.MaxConcurrency, 0, 0);
  return {
    type: 'Map',
    items: compilePath(place, 'ItemsPath', value.ItemsPath ?? '$'),
    selector: selector && compileTemplate(place, 'ItemSelector', asObject(place, 'ItemSelector', selector)),
    processor: loadStates({ file: place.file }, processor, known),
    maxConcurrency: Math.min(wanted || inlineMapConcurrency, inlineMapConcurrency),
  } as Action;
}

function loadList<T>(place: Place, field: string, list: unknown, load: (at: Place, f: string, entry: Json) => T): T[] {
  if (list === undefined) return [];
  if (!Array.isArray(list)) refuse(place, field, 'must be a list');
  return list.map((entry, i) => load(place, `${field}[${i}]`, asObject(place, `${field}[${i}]`, entry)));
}

const retrierFields = ['Comment', 'ErrorEquals', 'IntervalSeconds', 'MaxAttempts', 'BackoffRate', 'MaxDelaySeconds'];

function loadRetrier(place: Place, field: string, value: Json): Retrier {
  onlyKnown(place, value, [...retrierFields, 'JitterStrategy'], `${field}.`);
  const jitter = value.JitterStrategy ?? 'NONE';
  if (jitter !== 'NONE' && jitter !== 'FULL') refuse(place, `${field}.JitterStrategy`, 'must be FULL or NONE');
  const number = (name: string, minimum: number, fallback: number) =>
    asNumber(place, `${field}.${name}`, value[name], minimum, fallback);
  return {
    errorEquals: asStrings(place, `${field}.ErrorEquals`, value.ErrorEquals),
    intervalSeconds: number('IntervalSeconds', 1, 1),
    maxAttempts: number('MaxAttempts', 0, 3),
    backoffRate: number('BackoffRate', 1, 2),
    maxDelaySeconds: number('MaxDelaySeconds', 1, Number.POSITIVE_INFINITY),
    hasFullJitter: jitter === 'FULL',
  };
}

function loadCatcher(place: Place, field: string, value: Json): Catcher {
  onlyKnown(place, value, ['Comment', 'ErrorEquals', 'Next', 'ResultPath'], `${field}.`);
  return {
    errorEquals: asStrings(place, `${field}.ErrorEquals`, value.ErrorEquals),
    next: asString(place, `${field}.Next`, value.Next),
    write: compileResultPath(place, value.ResultPath),
  };
}
