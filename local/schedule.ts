// EventBridge Scheduler's place on one machine: runs a function again and again, never twice at the same time.

export interface Schedule {
  /** Waits for the run under way. */
  stop(): Promise<void>;
}

export function every(intervalMs: number, run: () => Promise<unknown>, onError: (error: unknown) => void): Schedule {
  let isStopped = false;
  let timer: NodeJS.Timeout | undefined;
  let running: Promise<void> = Promise.resolve();
  const next = () => {
    if (isStopped) return;
    timer = setTimeout(() => {
      running = run()
        .then(() => undefined, onError)
        .then(next);
    }, intervalMs);
  };
  running = run()
    .then(() => undefined, onError)
    .then(next);
  return {
    async stop() {
      isStopped = true;
      clearTimeout(timer);
      await running;
    },
  };
}
