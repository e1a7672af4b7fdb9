// What flavor profiles and availability zone profiles have in common as resources: data that a provider has to understand, and that
// stays as it is while something is made of it.
import { conflict, notFound } from '../domain/errors.ts';
import { invalidOption, type ProfileTopic, parseProfileData, refuseUnsupported } from '../domain/profile-data.ts';
import { providerNamed } from '../domain/provider.ts';
import { type Attributes, parseCreate, parseUpdate, type Resource, rootOf } from '../domain/resource.ts';
import { timestamp } from '../domain/time.ts';
import {
  deleteProfile,
  type ProfileKind,
  putProfile,
  readProfile,
  readProfiles,
  updateProfile,
} from '../repositories/profiles.ts';
import { type ApiRequest, type ApiResponse, param } from '../runtime/http/request.ts';
import { listBody, withFields } from './http/lists.ts';
import { authorizeOwn } from './http/policy.ts';

interface ProfileRow {
  id: string;
  provider_name: string;
  created_at: string;
}

interface Definition<R extends ProfileRow> {
  resource: Resource<Attributes>;
  kind: ProfileKind;
  topic: ProfileTopic;
  /** The attribute with the JSON. */
  data: string;
  /** Octavia's other spelling of the title. */
  spelling: string;
  /** Key of the links of a list. */
  links: string;
  show(row: R): Record<string, unknown>;
}

const nilId = '00000000-0000-0000-0000-000000000000';

export function profileHandlers<R extends ProfileRow>(definition: Definition<R>) {
  const { resource, kind, data, spelling, show } = definition;
  const missing = (id: string) => notFound(id === nilId ? spelling : resource.title, id);
  const inUse = (id: string) => conflict(`${spelling} ${id} is in use and cannot be modified.`);

  const refuse = (providerName: string, text: string): void => {
    const parsed = parseProfileData(data, text);
    refuseUnsupported(providerNamed(providerName), definition.topic, parsed);
  };

  async function found(request: ApiRequest): Promise<R> {
    const id = param(request, `${resource.root}_id`);
    const row = await readProfile<R>(request.services.table, kind, id);
    if (row === undefined) throw missing(id);
    return row;
  }

  async function answer(request: ApiRequest, status: number): Promise<ApiResponse> {
    return { status, body: { [resource.root]: withFields(request, show(await found(request))) } };
  }

  async function create(request: ApiRequest): Promise<ApiResponse> {
    authorizeOwn(request);
    const attributes = parseCreate(resource, rootOf(resource, request.body)) as Record<string, string>;
    refuse(attributes['provider_name']!, attributes[data]!);
    const { table, clock, newId } = request.services;
    const row = { ...attributes, id: newId(), created_at: timestamp(clock.now()) };
    await putProfile(table, kind, row);
    return { status: 201, body: { [resource.root]: show(row as unknown as R) } };
  }

  /** What it says may be changed as long as nothing is made of it. */
  async function update(request: ApiRequest): Promise<ApiResponse> {
    authorizeOwn(request);
    const id = param(request, `${resource.root}_id`);
    const body = rootOf(resource, request.body);
    refuseNulls(body);
    const set = parseUpdate(resource, body) as Record<string, string>;
    const row = await found(request);
    if (set[data] !== undefined) refuse(set['provider_name'] ?? row.provider_name, set[data]);
    const changesData = set[data] !== undefined || set['provider_name'] !== undefined;
    if (Object.keys(set).length > 0 && !(await updateProfile(request.services.table, kind, id, set, changesData))) {
      await found(request);
      throw inUse(id);
    }
    return answer(request, 200);
  }

  function refuseNulls(body: unknown): void {
    const nulls = Object.keys(resource.attributes).filter((name) => (body as Record<string, unknown>)?.[name] === null);
    if (nulls.length > 0) throw invalidOption('None', nulls[0]!);
  }

  async function remove(request: ApiRequest): Promise<ApiResponse> {
    authorizeOwn(request);
    const id = param(request, `${resource.root}_id`);
    const { table } = request.services;
    if ((await readProfile(table, kind, id)) === undefined) throw notFound(spelling, id);
    if (!(await deleteProfile(table, kind, id))) throw inUse(id);
    return { status: 204 };
  }

  async function list(request: ApiRequest): Promise<ApiResponse> {
    authorizeOwn(request);
    const rows = await readProfiles<R>(request.services.table, kind);
    const known = ['id', ...Object.keys(resource.attributes)];
    const { plural } = resource;
    const body = await listBody(request, { plural, links: definition.links, rows, show, known });
    return { status: 200, body };
  }

  async function get(request: ApiRequest): Promise<ApiResponse> {
    authorizeOwn(request);
    return answer(request, 200);
  }

  return { list, create, show: get, update, remove };
}
