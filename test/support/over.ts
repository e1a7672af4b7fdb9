/** With some of its methods put in their place. */
export const over = <T extends object>(target: T, others: Partial<T>): T =>
  new Proxy(target, {
    get: (_, name) => {
      if (name in others) return Reflect.get(others, name);
      const value = Reflect.get(target, name);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
