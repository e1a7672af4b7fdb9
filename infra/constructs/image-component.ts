// What Image Builder does to a machine of Debian's: runs install.sh of the kit, looks at the result, and seals it.
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { Stage } from 'aws-cdk-lib';
import { CfnComponent } from 'aws-cdk-lib/aws-imagebuilder';
import { Asset } from 'aws-cdk-lib/aws-s3-assets';
import { Construct } from 'constructs';
import { root } from './bundle.ts';

const place = '/var/lib/octavia-kit';
const bash = (name: string, ...commands: string[]) => ({ name, action: 'ExecuteBash', inputs: { commands } });

/** Versions of Image Builder's things cannot change what they are: another kit is another version. */
const versionOf = (digest: string): string => `1.0.${Number.parseInt(digest.slice(0, 7), 16)}`;

export class ImageComponent extends Construct {
  readonly kit: Asset;
  readonly version: string;
  readonly arn: string;

  constructor(scope: Construct, id: string, name: string) {
    super(scope, id);
    const directory = join(Stage.of(this)!.outdir, 'amphora-kit');
    execFileSync(process.execPath, [join(root, 'amphora/image/kit.ts'), directory], { stdio: ['ignore', 'ignore', 2] });
    this.kit = new Asset(this, 'Kit', { path: directory });
    this.version = versionOf(this.kit.assetHash);
    const component = new CfnComponent(this, 'Component', {
      name: `${name}-amphora`,
      description: 'HAProxy, keepalived and the agent, on Debian',
      platform: 'Linux',
      version: this.version,
      data: JSON.stringify(this.#document()),
    });
    this.arn = component.attrArn;
  }

  /** JSON is YAML. */
  #document(): object {
    const archive = `${place}.zip`;
    const download = [{ source: this.kit.s3ObjectUrl, destination: archive }];
    const build = [
      { name: 'Fetch', action: 'S3Download', inputs: download },
      // Debian's image has no unzip, but cloud-init's Python.
      bash('Install', `python3 -m zipfile -e ${archive} ${place}`, `sh ${place}/install.sh`),
      bash('Seal', `sh ${place}/install.sh seal`, `rm -rf ${place} ${archive}`),
    ];
    const validate = [
      bash(
        'Look',
        'set -e',
        '/usr/sbin/haproxy -v && /usr/sbin/keepalived --version && /usr/lib/octavia/node --version',
        'systemd-analyze verify octavia-agent.service octavia-masquerade.service',
        'systemctl is-enabled octavia-agent.service',
        'modprobe ip_vs && modprobe xt_ipvs',
      ),
    ];
    const phases = [
      { name: 'build', steps: build },
      { name: 'validate', steps: validate },
    ];
    return { name: 'amphora', schemaVersion: '1.0', phases };
  }
}
