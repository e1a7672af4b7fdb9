// AMIs of amphorae by EC2 Image Builder: one component, and for each architecture a recipe and a pipeline. Costs nothing but the
// machine a build runs on and the snapshots that are kept. Octavia has diskimage-create.sh.
import { CfnOutput, Stack, type StackProps } from 'aws-cdk-lib';
import * as iam from 'aws-cdk-lib/aws-iam';
import {
  CfnDistributionConfiguration,
  CfnImagePipeline,
  CfnImageRecipe,
  CfnInfrastructureConfiguration,
} from 'aws-cdk-lib/aws-imagebuilder';
import type { Construct } from 'constructs';
import { acknowledgeAnyResource, acknowledgeImageParts } from '../constructs/acknowledge.ts';
import { ImageComponent } from '../constructs/image-component.ts';
import type { ImageChoice } from '../settings.ts';

export interface ImageProps extends StackProps {
  name: string;
  choice: ImageChoice;
}

type Architecture = ImageChoice['architectures'][number];

const buildInstanceType: Record<Architecture, string> = { arm64: 't4g.small', amd64: 't3.small' };
/** Of which the compute driver takes the newest: setting `amphora_image=tag:<value>`, or a flavor's `amp_image_tag`. */
const imageTag = 'octavia:image-tag';
const debianImage = (architecture: Architecture) => `ssm:/aws/service/debian/release/12/latest/${architecture}`;
const rootGigabytes = 8;

/** What Systems Manager's agent says and asks; none of it can be narrowed to a resource. */
const agentActions = [
  'ssm:UpdateInstanceInformation',
  'ssmmessages:CreateControlChannel',
  'ssmmessages:CreateDataChannel',
  'ssmmessages:OpenControlChannel',
  'ssmmessages:OpenDataChannel',
  'ec2messages:AcknowledgeMessage',
  'ec2messages:DeleteMessage',
  'ec2messages:FailMessage',
  'ec2messages:GetEndpoint',
  'ec2messages:GetMessages',
  'ec2messages:SendReply',
];

export class Image extends Stack {
  readonly #props: ImageProps;
  readonly #component: ImageComponent;

  constructor(scope: Construct, id: string, { name, choice, ...props }: ImageProps) {
    super(scope, id, props);
    this.#props = { name, choice };
    this.#component = new ImageComponent(this, 'Amphora', name);
    const profile = this.#profile();
    for (const architecture of choice.architectures) this.#pipeline(architecture, profile);
  }

  /** Of machines that build: to be told what to do, and to read what they install. */
  #profile(): iam.CfnInstanceProfile {
    const role = new iam.Role(this, 'Role', { assumedBy: new iam.ServicePrincipal('ec2.amazonaws.com') });
    role.addToPolicy(new iam.PolicyStatement({ actions: agentActions, resources: ['*'] }));
    const component = this.formatArn({
      service: 'imagebuilder',
      resource: 'component',
      resourceName: `${this.#props.name}-amphora/*`,
    });
    role.addToPolicy(new iam.PolicyStatement({ actions: ['imagebuilder:GetComponent'], resources: [component] }));
    const { bucket, s3ObjectKey } = this.#component.kit;
    const kit = bucket.arnForObjects(s3ObjectKey);
    role.addToPolicy(new iam.PolicyStatement({ actions: ['s3:GetObject'], resources: [kit] }));
    acknowledgeAnyResource(role, 'What an agent of Systems Manager asks for belongs to no resource');
    acknowledgeImageParts(role, `${this.#props.name}-amphora/*`);
    return new iam.CfnInstanceProfile(this, 'Profile', { roles: [role.roleName] });
  }

  #pipeline(architecture: Architecture, profile: iam.CfnInstanceProfile): void {
    const { choice } = this.#props;
    const name = `${this.#props.name}-amphora-${architecture}`;
    const pipeline = new CfnImagePipeline(this, `Pipeline-${architecture}`, {
      name,
      imageRecipeArn: this.#recipe(architecture, name).attrArn,
      infrastructureConfigurationArn: this.#machines(architecture, name, profile).attrArn,
      distributionConfigurationArn: this.#distribution(architecture, name).attrArn,
      // The component looks at what it made; a second machine would look at the same.
      imageTestsConfiguration: { imageTestsEnabled: false },
      ...(choice.schedule && { schedule: { scheduleExpression: choice.schedule } }),
    });
    new CfnOutput(this, `ImagePipeline-${architecture}`, {
      value: pipeline.attrArn,
      description: 'aws imagebuilder start-image-pipeline-execution --image-pipeline-arn makes an AMI',
    });
  }

  #recipe(architecture: Architecture, name: string): CfnImageRecipe {
    return new CfnImageRecipe(this, `Recipe-${architecture}`, {
      name,
      version: this.#component.version,
      parentImage: this.#props.choice.parent_images[architecture] ?? debianImage(architecture),
      components: [{ componentArn: this.#component.arn }],
      additionalInstanceConfiguration: { systemsManagerAgent: { uninstallAfterBuild: true } },
      blockDeviceMappings: [
        {
          deviceName: '/dev/xvda',
          ebs: { volumeType: 'gp3', volumeSize: rootGigabytes, encrypted: true, deleteOnTermination: true },
        },
      ],
    });
  }

  #machines(architecture: Architecture, name: string, profile: iam.CfnInstanceProfile): CfnInfrastructureConfiguration {
    const { subnet_id: subnetId, security_group_ids: securityGroupIds } = this.#props.choice;
    return new CfnInfrastructureConfiguration(this, `Machines-${architecture}`, {
      name,
      instanceProfileName: profile.ref,
      instanceTypes: [buildInstanceType[architecture]],
      instanceMetadataOptions: { httpTokens: 'required', httpPutResponseHopLimit: 1 },
      terminateInstanceOnFailure: true,
      ...(subnetId !== undefined && { subnetId, securityGroupIds }),
    });
  }

  #distribution(architecture: Architecture, name: string): CfnDistributionConfiguration {
    const amiTags = { [imageTag]: `${this.#props.name}-${architecture}`, 'octavia-serverless': this.#props.name };
    return new CfnDistributionConfiguration(this, `Distribution-${architecture}`, {
      name,
      distributions: [
        {
          region: this.region,
          // Its type is any: spelled as CloudFormation does.
          amiDistributionConfiguration: { Name: `${name} {{ imagebuilder:buildDate }}`, AmiTags: amiTags },
        },
      ],
    });
  }
}
