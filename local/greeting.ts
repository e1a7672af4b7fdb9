// What `npm start` says when it is ready: where it is, who may come in, and what to paste first.
import type { Runtime } from './runtime.ts';

export function greeting({ ready, state }: Runtime, demoPassword: string): string {
  const { endpoint, auth_url, username, password, project_name, subnet_id } = ready;
  return `
Octavia's API is ready at ${endpoint}

  identity   ${auth_url}
  admin      ${username} / ${password}, project ${project_name}
  member     demo / ${demoPassword}, project demo
  subnet     ${subnet_id}

Create a load balancer with curl:

  TOKEN=$(curl -si ${auth_url}/auth/tokens -H 'content-type: application/json' -d '{"auth":{"identity":{"methods":["password"],
    "password":{"user":{"name":"${username}","domain":{"id":"default"},"password":"${password}"}}},
    "scope":{"project":{"name":"${project_name}","domain":{"id":"default"}}}}}' | tr -d '\\r' | awk 'tolower($1)=="x-subject-token:"{print $2}')
  curl -s ${endpoint}/v2.0/lbaas/loadbalancers -H "x-auth-token: $TOKEN" -H 'content-type: application/json' \\
    -d '{"loadbalancer":{"name":"web","vip_subnet_id":"${subnet_id}"}}'

or with OpenStack's client:

  export OS_CLIENT_CONFIG_FILE=${state.file('clouds.yaml')}
  openstack --os-cloud octavia loadbalancer create --name web --vip-subnet-id ${subnet_id}

Ctrl-C stops everything. A demonstration: npm run demo
`;
}
