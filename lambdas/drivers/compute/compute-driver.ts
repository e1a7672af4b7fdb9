// Builds and ends the machines amphorae run on: Nova's place in Octavia. On AWS an EC2 instance, on one machine a process.

export interface AmphoraBoot {
  amphora_id: string;
  /** PEM files the agent starts with; the private key goes nowhere else. */
  server_certificate: string;
  server_private_key: string;
  /** The authority both sides trust. */
  ca_certificate: string;
  /** Signs heartbeats of this amphora alone; 64 hex characters. */
  heartbeat_key: string;
  /** Where the network driver wants it: subnet, availability zone. Opaque to the flow. */
  availability_zone: string | null;
  compute_flavor: string | null;
  image_tag: string | null;
  /** Wished on another host than the others of the group, as far as there is one; absent or null: anywhere. */
  server_group?: string | null;
  /** Which machine it goes on, of a driver that has hosts; absent or null: one of its own. */
  host_id?: string | null;
}

export interface Compute {
  compute_id: string;
  amphora_id: string;
  state: 'BOOTING' | 'RUNNING' | 'GONE';
  /** Address the control plane reaches the agent on; known when RUNNING. */
  lb_network_ip: string | null;
  zone: string | null;
  image_id: string | null;
  /** As it was built; known as long as it is not GONE. */
  server_group?: string | null;
  /** The same for all that share a machine; absent or null: it is its own. */
  host_id?: string | null;
}

/** What decides which image a machine is made of. */
export type ImageWish = Pick<AmphoraBoot, 'availability_zone' | 'compute_flavor' | 'image_tag'>;

export interface ComputeDriver {
  /** The `image_id` of a machine that would be built now; null where machines are made of no image. */
  currentImage(wish: ImageWish): Promise<string | null>;
  /** Starts one machine for the amphora, or answers with the one that was started for it before. Does not wait for it. */
  build(boot: AmphoraBoot): Promise<Compute>;
  /** state GONE when there is none (any more). */
  get(computeId: string): Promise<Compute>;
  /** Ends the machine for good and at once; no error when it is gone. Of a host it ends this amphora, and touches no other. */
  delete(computeId: string): Promise<void>;
  /** Every machine that carries our tag, for the sweep of orphans; of a host, each amphora. */
  list(): Promise<Compute[]>;
  /**
   * Whether several amphorae can be on one machine: `build` makes the machine with the first boot that names the host, and starts the others
   * beside it, each with its own agent, address and HAProxy. How many come is not the driver's to count. A driver that cannot do that is
   * never told of a host: amphorae of flavors with colocation get machines of their own.
   */
  hasHosts(): Promise<boolean>;
  /** Ends a host, with whatever is still on it; no error when there is none. */
  deleteHost(hostId: string): Promise<void>;
}
