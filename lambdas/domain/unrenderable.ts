// What keeps a resource out of the amphorae's configuration, whoever of HAProxy and keepalived was to be told.

/** A resource has something that no configuration can say. */
export class Unrenderable extends Error {
  override readonly name = 'Unrenderable';
  readonly resource_id: string | null;
  constructor(resourceId: string | null, message: string, options?: ErrorOptions) {
    super(message, options);
    this.resource_id = resourceId;
  }
}
