// The API as an administrator and as a user ask it, in the test's process.
import { apiHandler } from '../../lambdas/api/handler.ts';
import type { Services } from '../../lambdas/runtime/services.ts';
import { type Answer, type HttpWish, send } from './http.ts';

export const ownProject = 'a1000000a1000000a1000000a1000000';

const callers = {
  admin: { project_id: 'c3000000c3000000c3000000c3000000', roles: ['admin', 'member', 'reader'] },
  member: { project_id: ownProject, roles: ['member', 'reader'] },
  reader: { project_id: ownProject, roles: ['reader'] },
  'without a role': { project_id: ownProject, roles: [] },
  'without a project': { roles: ['member', 'reader'] },
} satisfies Record<string, HttpWish['caller']>;
export type Persona = keyof typeof callers;

type Shown = Record<string, any>;

export class PersonaApi {
  readonly #services: Services;

  constructor(services: Services) {
    this.#services = services;
  }

  /** @param path below /v2.0, of a resource of lbaas or octavia */
  ask(persona: Persona, method: string, path: string, body?: unknown): Promise<Answer> {
    return send(apiHandler(this.#services), { method, path: `/v2.0/${path}`, body, caller: callers[persona] });
  }

  get = (path: string, persona: Persona = 'admin') => this.ask(persona, 'GET', path);
  post = (path: string, body: unknown, persona: Persona = 'admin') => this.ask(persona, 'POST', path, body);
  put = (path: string, body?: unknown, persona: Persona = 'admin') => this.ask(persona, 'PUT', path, body);
  delete = (path: string, persona: Persona = 'admin') => this.ask(persona, 'DELETE', path);

  async #made(path: string, root: string, attributes: Shown, persona: Persona = 'admin'): Promise<Shown> {
    const { status, body } = await this.post(path, { [root]: attributes }, persona);
    if (status !== 201) throw new Error(`${status} instead of 201: ${JSON.stringify(body)}`);
    return body[root];
  }

  flavorProfile = (data: Shown = {}, more: Shown = {}) =>
    this.#made('lbaas/flavorprofiles', 'flavorprofile', {
      name: 'a profile',
      provider_name: 'amphora',
      flavor_data: JSON.stringify(data),
      ...more,
    });

  flavor = async (name: string, data: Shown = {}, more: Shown = {}) => {
    const flavor_profile_id = more['flavor_profile_id'] ?? (await this.flavorProfile(data))['id'];
    return this.#made('lbaas/flavors', 'flavor', { name, flavor_profile_id, ...more });
  };

  zoneProfile = (data: Shown = {}, more: Shown = {}) =>
    this.#made('lbaas/availabilityzoneprofiles', 'availability_zone_profile', {
      name: 'a profile',
      provider_name: 'amphora',
      availability_zone_data: JSON.stringify(data),
      ...more,
    });

  zone = async (name: string, data: Shown = {}, more: Shown = {}) => {
    const availability_zone_profile_id = more['availability_zone_profile_id'] ?? (await this.zoneProfile(data))['id'];
    return this.#made('lbaas/availabilityzones', 'availability_zone', { name, availability_zone_profile_id, ...more });
  };

  /** What a user sends to create a load balancer on the first subnet there is. */
  loadBalancer = async (attributes: Shown = {}) => {
    const [subnet] = await this.#services.network.listSubnets();
    return { loadbalancer: { vip_subnet_id: subnet!.id, ...attributes } };
  };

  createLoadBalancer = async (attributes: Shown = {}): Promise<Answer> =>
    this.post('lbaas/loadbalancers', await this.loadBalancer(attributes), 'member');
}

export const nilId = '00000000-0000-0000-0000-000000000000';
export const unknownId = '5d0f3f1e-6a53-4a3c-9c38-0f4d2f6f8a11';

/** Status and text of a refusal. */
export const refusal = ({ status, body }: Answer) => ({ status, text: body?.faultstring });
