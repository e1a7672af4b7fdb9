// What tempest is told about the service under test: its two files of configuration.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Cloud } from '../../local/demo/client.ts';

export interface Choices {
  /** Which roles the suite's users have. */
  roles: 'keystone_default_roles' | 'advanced';
  /** Of the VIPs the suite asks for. */
  ipVersion: 4 | 6;
}
type Sections = Record<string, Record<string, string | number | boolean>>;

const sectionsOf = (
  { auth_url, username, password, project_name }: Cloud,
  directory: string,
  { roles, ipVersion }: Choices,
): Sections => ({
  DEFAULT: { log_dir: directory, log_file: 'tempest.log', debug: false, use_stderr: false },
  oslo_concurrency: { lock_path: join(directory, 'locks') },
  auth: {
    use_dynamic_credentials: true,
    create_isolated_networks: false,
    admin_username: username,
    admin_password: password,
    admin_project_name: project_name,
    admin_domain_name: 'Default',
  },
  identity: { auth_version: 'v3', uri_v3: auth_url, region: 'RegionOne' },
  'identity-feature-enabled': { api_v2: false, api_v3: true },
  // The plugin makes up the ids of networks when drivers are noop, so that it asks Neutron for nothing.
  service_available: {
    load_balancer: true,
    ...{ neutron: false, nova: false, glance: false, cinder: false, swift: false },
  },
  network: { project_networks_reachable: true },
  validation: { run_validation: false },
  load_balancer: {
    test_with_noop: true,
    RBAC_test_type: roles,
    test_with_ipv6: ipVersion === 6,
    provider: 'amphora',
    ...{ availability_zone: 'zone-1', availability_zone2: 'zone-2', availability_zone3: 'zone-3' },
    enabled_provider_drivers:
      'amphora:The Octavia Amphora driver.,octavia:Deprecated alias of the Octavia Amphora driver.',
    // Nothing takes as long here as the machines of which the defaults were made.
    ...{ check_interval: 0.1, check_timeout: 30, build_interval: 0.1, build_timeout: 30 },
    ...{ lb_build_interval: 0.1, lb_build_timeout: 30 },
  },
});

const printed = (sections: Sections): string =>
  Object.entries(sections)
    .map(([section, options]) =>
      [`[${section}]`, ...Object.entries(options).map(([name, value]) => `${name} = ${value}`), ''].join('\n'),
    )
    .join('\n');

/** @param discovery folder of tempest that finds the tests, its plugins' too @returns path of tempest.conf */
export function writeConfiguration(directory: string, discovery: string, cloud: Cloud, choices: Choices): string {
  mkdirSync(join(directory, 'locks'), { recursive: true });
  const file = join(directory, 'tempest.conf');
  // Holds a password.
  writeFileSync(file, printed(sectionsOf(cloud, directory, choices)), { mode: 0o600 });
  const stestr = {
    DEFAULT: { test_path: discovery, top_dir: join(discovery, '..', '..'), group_regex: '([^\\.]*\\.)*' },
  };
  writeFileSync(join(directory, '.stestr.conf'), printed(stestr));
  return file;
}
