// In bundles this stands for the package `mnemonist/lru-cache`, of which DynamoDB's client keeps one for endpoints that it never
// discovers, and which weighs 8 kB with what it is made of.
export default class LruCache<K, V> extends Map<K, V> {
  readonly #capacity: number;

  constructor(capacity: number) {
    super();
    this.#capacity = capacity;
  }

  override get(key: K): V | undefined {
    const value = super.get(key);
    if (value !== undefined) this.set(key, value);
    return value;
  }

  override set(key: K, value: V): this {
    super.delete(key);
    super.set(key, value);
    if (this.size > this.#capacity) super.delete(this.keys().next().value as K);
    return this;
  }

  peek(key: K): V | undefined {
    return super.get(key);
  }
}
