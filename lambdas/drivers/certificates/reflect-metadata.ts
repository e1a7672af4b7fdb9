// The three functions of the Reflect metadata proposal that tsyringe, inside @peculiar/x509, asks for; without them its
// import throws. They are added only where nothing better is there.

type Target = object;
type Metadata = Map<unknown, unknown>;

const metadata = new WeakMap<Target, Metadata>();

const getOwnMetadata = (key: unknown, target: Target): unknown => metadata.get(target)?.get(key);

function getMetadata(key: unknown, target: Target | null): unknown {
  // Subclasses see what their parents were given.
  for (let at = target; at !== null; at = Object.getPrototypeOf(at)) {
    if (metadata.get(at)?.has(key)) return getOwnMetadata(key, at);
  }
  return undefined;
}

function defineMetadata(key: unknown, value: unknown, target: Target): void {
  const own = metadata.get(target) ?? new Map();
  metadata.set(target, own.set(key, value));
}

const reflect = Reflect as typeof Reflect & { getMetadata?: unknown };
if (!reflect.getMetadata) Object.assign(reflect, { getMetadata, getOwnMetadata, defineMetadata });
