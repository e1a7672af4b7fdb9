import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { App, Validations } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import { AwsSolutionsChecks } from 'cdk-nag';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { deploymentOf } from '../../infra/settings.ts';
import { Image } from '../../infra/stacks/image.ts';
import { resolved, resourcesOf } from '../support/synthesised.ts';

const context = JSON.parse(readFileSync('cdk.json', 'utf8')).context;
const outdir = mkdtempSync(join(tmpdir(), 'octavia-image-'));
let template: Template;
beforeAll(() => {
  const choice = { architectures: ['arm64', 'amd64'], schedule: 'cron(0 4 1 * ? *)' };
  const app = new App({ outdir, context: { ...context, 'octavia:image': choice } });
  Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
  const image = new Image(app, 'octavia-image', { name: 'octavia', choice: deploymentOf(app.node).image! });
  // Findings of cdk-nag fail it.
  app.synth();
  template = Template.fromStack(image);
}, 120_000);
afterAll(() => rmSync(outdir, { recursive: true, force: true }));

const properties = (type: string) =>
  Object.values(resourcesOf(template, `AWS::ImageBuilder::${type}`)).map(({ Properties }) => Properties);

describe('the image stack', () => {
  it('makes an image of each architecture from Debian’s newest, on a schedule', () => {
    expect(properties('ImageRecipe').map(({ ParentImage }) => ParentImage)).toEqual([
      'ssm:/aws/service/debian/release/12/latest/arm64',
      'ssm:/aws/service/debian/release/12/latest/amd64',
    ]);
    for (const { Schedule } of properties('ImagePipeline')) expect(Schedule.ScheduleExpression).toContain('cron(');
  });

  it('tags them as the compute driver looks for them', () => {
    const tags = properties('DistributionConfiguration').map(
      ({ Distributions }) => Distributions[0].AmiDistributionConfiguration.AmiTags,
    );
    expect(tags.map((tag) => tag['octavia:image-tag'])).toEqual(['octavia-arm64', 'octavia-amd64']);
  });

  it('runs the script and the programs of this tree, and takes Systems Manager’s agent away again', () => {
    const [{ Data, Version }] = properties('Component') as [Record<string, any>];
    const document = JSON.parse(resolved(Data));
    expect(document.phases.map(({ name }: { name: string }) => name)).toEqual(['build', 'validate']);
    expect(resolved(Data)).toContain('sh /var/lib/octavia-kit/install.sh seal');
    for (const recipe of properties('ImageRecipe')) {
      expect(recipe['Version']).toBe(Version);
      expect(recipe['AdditionalInstanceConfiguration'].SystemsManagerAgent.UninstallAfterBuild).toBe(true);
    }
    const kit = join(outdir, 'amphora-kit');
    for (const name of ['agent.mjs', 'boot.mjs', 'packages', 'node'])
      expect(existsSync(join(kit, name)), name).toBe(true);
    expect(readFileSync(join(kit, 'install.sh'), 'utf8')).toBe(readFileSync('amphora/image/install.sh', 'utf8'));
  });

  it('builds on machines that need a token for their metadata and may read the kit alone', () => {
    for (const one of properties('InfrastructureConfiguration'))
      expect(one['InstanceMetadataOptions']).toMatchObject({ HttpTokens: 'required' });
    const statements = Object.values(resourcesOf(template, 'AWS::IAM::Policy')).flatMap(
      ({ Properties }) => Properties['PolicyDocument'].Statement,
    );
    const reads = statements.filter(({ Action }) => [Action].flat().includes('s3:GetObject'));
    expect(reads).toHaveLength(1);
    expect(resolved(reads[0].Resource)).toMatch(/\.zip$/);
    const anywhere = statements.filter(({ Resource }) => Resource === '*').flatMap(({ Action }) => Action);
    expect(anywhere.filter((action: string) => !/^(ssm|ssmmessages|ec2messages):/.test(action))).toEqual([]);
  });
});
