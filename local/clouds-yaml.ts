// clouds.yaml, where OpenStack's tools look for clouds.
import type { Ready } from './runtime.ts';

const quoted = (text: string): string => JSON.stringify(text);

const cloud = (name: string, ready: Ready, username: string, password: string, project: string): string => `  ${name}:
    auth:
      auth_url: ${quoted(ready.auth_url)}
      username: ${quoted(username)}
      password: ${quoted(password)}
      project_name: ${quoted(project)}
      user_domain_name: Default
      project_domain_name: Default
    region_name: RegionOne
    identity_api_version: 3
`;

/** Cloud `octavia` is the administrator's, `octavia-demo` an ordinary project's. */
export const cloudsYaml = (ready: Ready, demoPassword: string): string =>
  `clouds:\n${cloud('octavia', ready, ready.username, ready.password, ready.project_name)}${cloud('octavia-demo', ready, 'demo', demoPassword, 'demo')}`;
