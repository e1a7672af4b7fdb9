// A task of a flow: named by its state, given ids, answers with what it provides. Every task may run twice.
import { correlated } from '../runtime/correlation.ts';
import type { Services } from '../runtime/services.ts';

// biome-ignore lint/suspicious/noExplicitAny: tasks of one group have different inputs, given by their flow
export type Task<I = any> = (services: Services, input: I) => Promise<unknown>;
export type TaskHandler = (payload: { task: string } & Record<string, unknown>) => Promise<unknown>;

/** The Lambda of one group of tasks. */
export const taskHandler =
  (services: Services, tasks: Record<string, Task>): TaskHandler =>
  async ({ task, ...input }) => {
    const run = tasks[task];
    if (run === undefined) throw new TypeError(`no task named ${task}`);
    // A flow's state is JSON: undefined is not.
    return (await correlated(task, input, () => run(services, input))) ?? null;
  };
