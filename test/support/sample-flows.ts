// Flows for the tests of the interpreter; the real ones are in state-machines/.

const work = { Type: 'Task', Resource: '${Work}' };

/** Twenty tasks in a row. */
const chain = {
  StartAt: 'S0',
  States: Object.fromEntries(
    Array.from({ length: 20 }, (_, n) => [
      `S${n}`,
      {
        ...work,
        Parameters: { 'execution.$': '$$.Execution.Name', step: n },
        ResultPath: null,
        ...(n < 19 ? { Next: `S${n + 1}` } : { End: true }),
      },
    ]),
  ),
};

/** One of everything. */
const everything = {
  Comment: 'every state type and field the interpreter runs',
  StartAt: 'Try',
  TimeoutSeconds: 600,
  States: {
    Try: {
      Type: 'Parallel',
      Branches: [
        {
          StartAt: 'Build',
          States: {
            Build: {
              ...work,
              Parameters: { task: 'Build', 'id.$': '$.id', 'attempt.$': '$$.State.RetryCount' },
              ResultSelector: { 'zone.$': '$.zone' },
              ResultPath: '$.compute',
              TimeoutSeconds: 60,
              Retry: [
                {
                  ErrorEquals: ['ComputeNotReady'],
                  IntervalSeconds: 5,
                  MaxAttempts: 60,
                  BackoffRate: 1,
                  MaxDelaySeconds: 10,
                  JitterStrategy: 'FULL',
                },
              ],
              Next: 'Rest',
            },
            Rest: { Type: 'Wait', Seconds: 1, End: true },
          },
        },
      ],
      ResultPath: '$.tried',
      Catch: [{ ErrorEquals: ['States.ALL'], ResultPath: '$.failure', Next: 'Failed' }],
      Next: 'Each',
    },
    Each: {
      Type: 'Map',
      ItemsPath: '$.amphorae',
      ItemSelector: { 'index.$': '$$.Map.Item.Index', 'amphora_id.$': '$$.Map.Item.Value' },
      ItemProcessor: { ProcessorConfig: { Mode: 'INLINE' }, StartAt: 'Push', States: { Push: { ...work, End: true } } },
      MaxConcurrency: 2,
      ResultPath: null,
      Next: 'Which',
    },
    Which: {
      Type: 'Choice',
      Choices: [
        {
          And: [
            { Variable: '$.more', IsPresent: true },
            { Not: { Variable: '$.more', IsNull: true } },
            { Or: [{ Variable: '$.more', BooleanEquals: true }] },
          ],
          Next: 'Child',
        },
      ],
      Default: 'Done',
    },
    Child: {
      Type: 'Task',
      Resource: 'arn:aws:states:::states:startExecution.sync:2',
      Parameters: { StateMachineArn: '${FailoverAmphora}', Input: { 'id.$': '$.id' } },
      ResultPath: '$.child',
      Next: 'Shape',
    },
    Shape: { Type: 'Pass', InputPath: '$.child', OutputPath: '$.Output', Next: 'Done' },
    Failed: { Type: 'Fail', ErrorPath: '$.failure.Error', CausePath: '$.failure.Cause' },
    Done: { Type: 'Succeed' },
  },
};

export const definitions = { chain, everything };

/** Every field that is known anywhere, so that a made-up one is not one of them. */
export const knownFields = new Set(
  [
    'Type Comment InputPath OutputPath Next End ResultSelector ResultPath Retry Catch Resource Parameters TimeoutSeconds',
    'Result Seconds SecondsPath Choices Default Error Cause ErrorPath CausePath Branches ItemsPath ItemSelector',
    'ItemProcessor MaxConcurrency StartAt States Version QueryLanguage ProcessorConfig Mode ErrorEquals IntervalSeconds',
    'MaxAttempts BackoffRate MaxDelaySeconds JitterStrategy Variable And Or Not StringEquals BooleanEquals IsNull IsPresent',
    'NumericEquals NumericLessThan NumericLessThanEquals NumericGreaterThan NumericGreaterThanEquals',
  ].flatMap((line) => line.split(' ')),
);
