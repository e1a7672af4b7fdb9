// A driver that is loaded and made when it is first called, so that a function pays for nothing it does not use.

// biome-ignore lint/suspicious/noExplicitAny: methods of any driver, whatever they take
type Asynchronous<T> = { [K in keyof T]: (...given: any[]) => Promise<unknown> };

/** @param make tried again on the next call when it fails */
export function lazily<T extends Asynchronous<T>>(make: () => Promise<T>): T {
  let making: Promise<T> | undefined;
  const made = () => {
    making ??= make().catch((error) => {
      making = undefined;
      throw error;
    });
    return making;
  };
  return new Proxy({} as T, {
    get(_target, method) {
      // Whatever awaits the driver itself must not take it for a promise.
      if (method === 'then' || typeof method === 'symbol') return undefined;
      return async (...given: unknown[]) => (await made())[method as keyof T](...given);
    },
  });
}
