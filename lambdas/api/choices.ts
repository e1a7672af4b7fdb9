// What flavors and availability zones have in common as resources: a name of their own, a profile, and load balancers that use them.
import { conflict, notFound } from '../domain/errors.ts';
import { invalidOption } from '../domain/profile-data.ts';
import { type Attributes, parseCreate, parseUpdate, type Resource, rootOf } from '../domain/resource.ts';
import { timestamp } from '../domain/time.ts';
import {
  type Choice,
  type ChoiceKind,
  createChoice,
  deleteChoice,
  readChoice,
  readChoices,
  updateChoice,
} from '../repositories/choices.ts';
import { type ApiRequest, type ApiResponse, param } from '../runtime/http/request.ts';
import { listBody, withFields } from './http/lists.ts';
import { authorizeOwn } from './http/policy.ts';

interface Definition<R extends Choice> {
  resource: Resource<Attributes>;
  kind: ChoiceKind;
  /** In a message about a name that is taken. */
  noun: string;
  /** The attribute that names the profile, and the profile's title. */
  profile: { attribute: string; title: string };
  /** The attribute a URL names it by. */
  identity: 'id' | 'name';
  show(row: R): Record<string, unknown>;
}

export function choiceHandlers<R extends Choice>(definition: Definition<R>) {
  const { resource, kind, noun, profile, identity, show } = definition;
  const { root, title, plural } = resource;
  const idOf = (request: ApiRequest): string => param(request, `${root}_${identity}`);
  const nameTaken = (name: string) => conflict(`A ${noun} of ${name} already exists.`);

  async function create(request: ApiRequest): Promise<ApiResponse> {
    authorizeOwn(request);
    const { services } = request;
    const attributes = parseCreate(resource, rootOf(resource, request.body)) as unknown as R & Record<string, string>;
    // A zone is known by its name alone, and a flavor without one could not be asked for either.
    if (attributes.name === '') throw invalidOption('', 'name');
    const id = identity === 'name' ? attributes.name : services.newId();
    const row = { ...attributes, id, created_at: timestamp(services.clock.now()) };
    const outcome = await createChoice(services, kind, row);
    if (outcome === 'name-taken') throw nameTaken(row.name);
    if (outcome === 'no-profile') throw notFound(profile.title, attributes[profile.attribute]!);
    return { status: 201, body: { [root]: show(row) } };
  }

  async function get(request: ApiRequest): Promise<ApiResponse> {
    authorizeOwn(request);
    const row = await readChoice<R>(request.services.table, kind, idOf(request));
    if (row === undefined) throw notFound(title, idOf(request));
    return { status: 200, body: { [root]: withFields(request, show(row)) } };
  }

  async function update(request: ApiRequest): Promise<ApiResponse> {
    authorizeOwn(request);
    const set = parseUpdate(resource, rootOf(resource, request.body)) as Partial<R>;
    const row = await updateChoice<R>(request.services, kind, idOf(request), set);
    if (row === 'missing') throw notFound(title, idOf(request));
    if (row === 'name-taken') throw nameTaken(String(set.name));
    return { status: 200, body: { [root]: show(row) } };
  }

  async function remove(request: ApiRequest): Promise<ApiResponse> {
    authorizeOwn(request);
    const outcome = await deleteChoice(request.services, kind, idOf(request));
    if (outcome === 'missing') throw notFound(title, idOf(request));
    if (outcome === 'in-use') throw conflict(`${title} ${idOf(request)} is in use and cannot be modified.`);
    return { status: 204 };
  }

  async function list(request: ApiRequest): Promise<ApiResponse> {
    authorizeOwn(request);
    const rows = await readChoices<R>(request.services.table, kind);
    const known = [identity, ...Object.keys(resource.attributes)];
    // In the order of ids, a zone's being its name.
    const hidden = (row: R) => ({ id: row.id });
    return { status: 200, body: await listBody(request, { plural, identity, rows, show, hidden, known }) };
  }

  return { list, create, show: get, update, remove };
}
