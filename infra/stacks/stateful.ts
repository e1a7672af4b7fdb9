// What must outlive any deployment: the table, the key it is encrypted with, the secret the sealing key is derived from, and the
// logs of amphorae.
import { CfnOutput, Duration, RemovalPolicy, Stack, type StackProps } from 'aws-cdk-lib';
import {
  AttributeType,
  BillingMode,
  type ITable,
  StreamViewType,
  Table,
  TableEncryption,
} from 'aws-cdk-lib/aws-dynamodb';
import { Key } from 'aws-cdk-lib/aws-kms';
import { BlockPublicAccess, Bucket, BucketEncryption, ObjectOwnership } from 'aws-cdk-lib/aws-s3';
import { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import type { Construct } from 'constructs';
import { acknowledgeRule } from '../constructs/acknowledge.ts';
import type { RestoredTable } from '../settings.ts';

/** The same as lambdas/drivers/table/definition.ts, which a test compares it with: infra imports no code of the functions. */
export const keySchema = {
  partitionKey: 'pk',
  sortKey: 'sk',
  indexes: [
    { name: 'by_project', partitionKey: 'project_pk', sortKey: 'project_sk' },
    { name: 'by_type', partitionKey: 'type_pk', sortKey: 'type_sk' },
    { name: 'by_name', partitionKey: 'name_pk', sortKey: 'name_sk' },
    { name: 'pending', partitionKey: 'pending_pk', sortKey: 'pending_sk' },
  ],
} as const;

/** What belongs to projects, and what is for operators. */
export const logPrefixes = ['tenant', 'admin'] as const;

const text = (name: string) => ({ name, type: AttributeType.STRING });

export class Stateful extends Stack {
  readonly key: Key;
  /** The one that is in use. */
  readonly table: ITable;
  readonly sealingKey: Secret;
  readonly adminSecret: Secret;
  readonly logs: Bucket;

  constructor(
    scope: Construct,
    id: string,
    { restored, ...props }: StackProps & { restored?: RestoredTable | undefined },
  ) {
    super(scope, id, { ...props, terminationProtection: true });
    this.key = new Key(this, 'Key', { enableKeyRotation: true, removalPolicy: RemovalPolicy.RETAIN });
    const own = this.#makeTable();
    // The one that was made here stays as it is: who restored may want to look at it.
    this.table = restored
      ? Table.fromTableAttributes(this, 'Restored', {
          tableName: restored.name,
          tableStreamArn: restored.stream_arn,
          encryptionKey: this.key,
        })
      : own;
    this.sealingKey = this.#makeSealingKey();
    this.adminSecret = this.#makeAdminSecret();
    this.logs = this.#makeLogs();
  }

  /** Encrypted by S3 itself: with a key of ours each of the many small archives would cost a call of it. */
  #makeLogs(): Bucket {
    const logs = new Bucket(this, 'Logs', {
      encryption: BucketEncryption.S3_MANAGED,
      enforceSSL: true,
      minimumTLSVersion: 1.2,
      blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
      objectOwnership: ObjectOwnership.BUCKET_OWNER_ENFORCED,
      removalPolicy: RemovalPolicy.RETAIN,
      lifecycleRules: [{ expiration: Duration.days(90), abortIncompleteMultipartUploadAfter: Duration.days(1) }],
    });
    acknowledgeRule(logs, 'S1', 'It holds logs itself, and who puts them is one function, whose calls are logged');
    new CfnOutput(this, 'LogBucket', {
      value: logs.bucketName,
      description: 'Logs of amphorae: tenant/<project>, admin',
    });
    return logs;
  }

  #makeSealingKey(): Secret {
    const secret = new Secret(this, 'SealingKey', {
      description: 'What lies sealed in the table is lost with it',
      encryptionKey: this.key,
      removalPolicy: RemovalPolicy.RETAIN,
      // 64 of 62 kinds of characters are 381 random bits, more than the 256 of the key made of them.
      generateSecretString: { passwordLength: 64, excludePunctuation: true },
    });
    acknowledgeRule(secret, 'SMG4', 'What is sealed with a key can only be opened with that key');
    return secret;
  }

  /** Read once, when the table gets its first user; whoever changes that password may delete it. */
  #makeAdminSecret(): Secret {
    const secret = new Secret(this, 'AdminCredentials', {
      description: 'The first administrator of the load balancer API, with the password of the first deployment',
      encryptionKey: this.key,
      removalPolicy: RemovalPolicy.RETAIN,
      generateSecretString: {
        secretStringTemplate: JSON.stringify({ username: 'admin', project_name: 'admin', domain_id: 'default' }),
        generateStringKey: 'password',
        passwordLength: 32,
        excludePunctuation: true,
      },
    });
    acknowledgeRule(
      secret,
      'SMG4',
      'It is where somebody finds a password for the first login, and is not asked again',
    );
    return secret;
  }

  #makeTable(): Table {
    const table = new Table(this, 'Table', {
      partitionKey: text(keySchema.partitionKey),
      sortKey: text(keySchema.sortKey),
      billingMode: BillingMode.PAY_PER_REQUEST,
      encryption: TableEncryption.CUSTOMER_MANAGED,
      encryptionKey: this.key,
      pointInTimeRecoverySpecification: { pointInTimeRecoveryEnabled: true },
      deletionProtection: true,
      removalPolicy: RemovalPolicy.RETAIN,
      // Hands on what functions inside the VPC left in the outbox, which is removed when it is old, and tells what changed.
      stream: StreamViewType.NEW_AND_OLD_IMAGES,
      timeToLiveAttribute: 'outbox_until',
    });
    for (const { name, partitionKey, sortKey } of keySchema.indexes)
      table.addGlobalSecondaryIndex({
        indexName: name,
        partitionKey: text(partitionKey),
        sortKey: text(sortKey),
      });
    return table;
  }
}
