// The one HTTP API: Octavia's at the root, identity, network and key manager below paths of their own, everything past the authorizer.
import { Duration, RemovalPolicy } from 'aws-cdk-lib';
import { AccessLogFormat } from 'aws-cdk-lib/aws-apigateway';
import { HttpApi, HttpMethod, HttpStage, LogGroupLogDestination } from 'aws-cdk-lib/aws-apigatewayv2';
import { HttpLambdaAuthorizer, HttpLambdaResponseType } from 'aws-cdk-lib/aws-apigatewayv2-authorizers';
import { HttpLambdaIntegration } from 'aws-cdk-lib/aws-apigatewayv2-integrations';
import type { IFunction } from 'aws-cdk-lib/aws-lambda';
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs';
import { Construct } from 'constructs';

export interface OctaviaHttpApiProps {
  apiName: string;
  api: IFunction;
  identity: IFunction;
  network: IFunction;
  keyManager: IFunction;
  authorizer: IFunction;
}

/** No header and no body: a token is in either. */
const accessLogFormat = {
  request_id: '$context.requestId',
  time: '$context.requestTime',
  address: '$context.identity.sourceIp',
  method: '$context.httpMethod',
  path: '$context.path',
  code: '$context.status',
  bytes: '$context.responseLength',
  took_ms: '$context.responseLatency',
  error: '$context.error.message',
};

export class OctaviaHttpApi extends Construct {
  readonly endpoint: string;
  readonly id: string;

  constructor(scope: Construct, { apiName, api, identity, network, keyManager, authorizer }: OctaviaHttpApiProps) {
    super(scope, 'HttpApi');
    // No identity source and no cache: with either, a request without a token would not get as far as an answer of ours.
    const defaultAuthorizer = new HttpLambdaAuthorizer('Authorizer', authorizer, {
      responseTypes: [HttpLambdaResponseType.SIMPLE],
      identitySource: [],
      resultsCacheTtl: Duration.seconds(0),
    });
    const octavia = new HttpLambdaIntegration('Octavia', api);
    const beside = {
      identity: new HttpLambdaIntegration('Identity', identity),
      network: new HttpLambdaIntegration('Network', network),
      'key-manager': new HttpLambdaIntegration('KeyManager', keyManager),
    };
    const http = new HttpApi(this, 'Api', {
      apiName,
      createDefaultStage: false,
      defaultAuthorizer,
      defaultIntegration: octavia,
    });
    for (const [path, integration] of Object.entries(beside)) {
      http.addRoutes({ path: `/${path}`, methods: [HttpMethod.ANY], integration });
      http.addRoutes({ path: `/${path}/{proxy+}`, methods: [HttpMethod.ANY], integration });
    }
    this.#stage(http);
    this.endpoint = http.apiEndpoint;
    this.id = http.apiId;
  }

  #stage(httpApi: HttpApi): void {
    const log = new LogGroup(this, 'AccessLog', {
      retention: RetentionDays.ONE_MONTH,
      removalPolicy: RemovalPolicy.DESTROY,
    });
    new HttpStage(this, 'Stage', {
      httpApi,
      stageName: '$default',
      autoDeploy: true,
      // A client gone wild must not take all functions the account may run at once, which is 1,000 unless asked for more.
      throttle: { rateLimit: 1_000, burstLimit: 2_000 },
      accessLogSettings: {
        destination: new LogGroupLogDestination(log),
        format: AccessLogFormat.custom(JSON.stringify(accessLogFormat)),
      },
    });
  }
}
