// The API a black-box test asks: the one at OCTAVIA_URL when that is set, any Octavia, else a control plane in the test's process.
import { ControlPlane } from './control-plane.ts';
import { eventually } from './eventually.ts';
import { OctaviaApi, type Shown } from './octavia-api.ts';

export interface OctaviaUnderTest extends AsyncDisposable {
  /** As an ordinary member of a project. */
  api: OctaviaApi;
}

interface Deployment {
  url: string;
  authUrl: string;
  username: string;
  password: string;
  project: string;
  domain: string;
  /** Empty: the first one that the network service lists. */
  subnetId: string;
}

/** @throws Error when something it needs is not set */
function deploymentOf(environment: NodeJS.ProcessEnv): Deployment | undefined {
  const read = (name: string, fallback?: string): string => {
    const value = environment[`OCTAVIA_${name}`] ?? fallback;
    if (value === undefined) throw new Error(`OCTAVIA_URL is set, so OCTAVIA_${name} has to be as well`);
    return value;
  };
  if (environment['OCTAVIA_URL'] === undefined) return undefined;
  const url = read('URL').replace(/\/+$/, '');
  return {
    url,
    authUrl: read('AUTH_URL', `${url}/identity/v3`),
    username: read('USERNAME'),
    password: read('PASSWORD'),
    project: read('PROJECT'),
    domain: read('DOMAIN', 'Default'),
    subnetId: read('SUBNET_ID', ''),
  };
}

interface CatalogEntry {
  type: string;
  endpoints: { interface: string; url: string }[];
}

/** A token, and where the network service is. */
async function logIn(of: Deployment): Promise<{ token: string; networkUrl: string | undefined }> {
  const domain = { name: of.domain };
  const password = { user: { name: of.username, domain, password: of.password } };
  const scope = { project: { name: of.project, domain } };
  const response = await fetch(`${of.authUrl}/auth/tokens`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ auth: { identity: { methods: ['password'], password }, scope } }),
  });
  const token = response.headers.get('x-subject-token');
  if (token === null) throw new Error(`no token from ${of.authUrl}: ${response.status} ${await response.text()}`);
  const { catalog } = ((await response.json()) as { token: { catalog: CatalogEntry[] } }).token;
  const network = catalog.find(({ type }) => type === 'network');
  return { token, networkUrl: network?.endpoints.find((one) => one.interface === 'public')?.url };
}

async function firstSubnet(networkUrl: string | undefined, token: string): Promise<string> {
  if (networkUrl === undefined) throw new Error('the catalog has no network service: set OCTAVIA_SUBNET_ID');
  const response = await fetch(`${networkUrl}/v2.0/subnets`, { headers: { 'x-auth-token': token } });
  const { subnets } = (await response.json()) as { subnets: { id: string }[] };
  if (subnets[0] === undefined) throw new Error(`${networkUrl} has no subnet`);
  return subnets[0].id;
}

export async function octaviaUnderTest(): Promise<OctaviaUnderTest> {
  const deployment = deploymentOf(process.env);
  if (deployment === undefined) {
    const plane = await ControlPlane.start();
    return { api: plane.as(), [Symbol.asyncDispose]: () => plane[Symbol.asyncDispose]() };
  }
  const { token, networkUrl } = await logIn(deployment);
  const subnetId = deployment.subnetId || (await firstSubnet(networkUrl, token));
  return { api: new OctaviaApi(deployment.url, token, subnetId), [Symbol.asyncDispose]: async () => undefined };
}

/** A real deployment builds machines. */
const buildMs = 600_000;

/** The load balancer as soon as it is ACTIVE; writes to a busy one are refused by deployments that do not queue. */
export const active = (api: OctaviaApi, { id }: Shown): Promise<Shown> =>
  eventually(
    `load balancer ${id} is ACTIVE`,
    async () => {
      const shown = await api.show(`loadbalancers/${id}`);
      return shown['provisioning_status'] === 'ACTIVE' ? shown : undefined;
    },
    buildMs,
  );

export const gone = (api: OctaviaApi, path: string): Promise<boolean> =>
  eventually(`${path} is gone`, async () => (await api.get(path)).status === 404, buildMs);
