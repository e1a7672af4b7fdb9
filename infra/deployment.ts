// One deployment on AWS, as CDK stacks: what lasts, the network, the control plane and, if wanted, what makes AMIs of amphorae.
import { App, type AppProps, Tags, Validations } from 'aws-cdk-lib';
import { AwsSolutionsChecks } from 'cdk-nag';
import { deploymentOf } from './settings.ts';
import { ControlPlane } from './stacks/control-plane.ts';
import { Image } from './stacks/image.ts';
import { Network } from './stacks/network.ts';
import { Observability } from './stacks/observability.ts';
import { Stateful } from './stacks/stateful.ts';

export interface Stacks {
  app: App;
  stateful: Stateful;
  network: Network;
  controlPlane: ControlPlane;
  observability: Observability;
  /** Undefined where AMIs are made elsewhere. */
  image: Image | undefined;
}

export function octaviaApp(props: AppProps = {}): Stacks {
  const app = new App(props);
  // Findings fail the synthesis.
  Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
  const deployment = deploymentOf(app.node);
  Tags.of(app).add('octavia-serverless', deployment.name);
  const stateful = new Stateful(app, `${deployment.name}-stateful`, { restored: deployment.restoredTable });
  const network = new Network(app, `${deployment.name}-network`, {
    given: deployment.vpc,
    amphorae: deployment.amphorae,
  });
  const controlPlane = new ControlPlane(app, `${deployment.name}-control-plane`, { deployment, stateful, network });
  const { queues, undelivered, httpApiId, healthScan, flowEnded } = controlPlane;
  const observability = new Observability(app, `${deployment.name}-observability`, {
    deployment: deployment.name,
    table: stateful.table,
    queues,
    undelivered,
    httpApiId,
    healthScan,
    flowEnded,
    alarmTopicArn: deployment.alarmTopicArn,
  });
  const { name, image: choice } = deployment;
  const image = choice && new Image(app, `${name}-image`, { name, choice });
  return { app, stateful, network, controlPlane, observability, image };
}
