// What happened, told to whoever listens: Octavia's notifications. On AWS an EventBridge bus, on one machine the log of events.

export interface OctaviaEvent {
  /** Stable: the same happening told twice has the same id. */
  id: string;
  type:
    | 'provisioning_status_changed'
    | 'operating_status_changed'
    | 'failover_started'
    | 'failover_completed'
    | 'failover_failed'
    | 'standby_promoted'
    | 'peer_suspected'
    | 'storm_guard_engaged'
    | 'storm_guard_released'
    | 'orphan_swept'
    | 'operation_expired'
    | 'certificate_unreadable'
    | 'certificate_readable'
    | 'certificate_expired'
    | 'authority_introduced'
    | 'authority_signing'
    | 'authority_retired'
    | 'certificate_rotated'
    | 'certificate_rotation_failed'
    | 'heartbeat_key_rotated'
    | 'spare_build_failed'
    | 'rollout_started'
    | 'rollout_wave_started'
    | 'rollout_wave_completed'
    | 'rollout_paused'
    | 'rollout_resumed'
    | 'rollout_halted'
    | 'rollout_cancelled'
    | 'rollout_completed';
  /** ISO 8601. */
  time: string;
  project_id: string | null;
  load_balancer_id: string | null;
  /** Which resource: `loadbalancer`, `listener`, `pool`, `member`, `healthmonitor`, `amphora`, `spare_pool`, `rollout`. */
  resource: string;
  resource_id: string;
  detail: Record<string, unknown>;
  /** Of events told by the table's stream: of the same resource the later one is greater, compared as text. */
  sequence?: string;
}

export interface EventDriver {
  /** Never throws for a bus that is away: whoever acts is not kept from it by who listens. */
  publish(events: OctaviaEvent[]): Promise<void>;
  /** The same for who comes again until all are taken. @throws Error when some were not, the first of them and all after it */
  deliver(events: OctaviaEvent[]): Promise<void>;
}

export class NoopEventDriver implements EventDriver {
  readonly published: OctaviaEvent[] = [];
  async publish(events: OctaviaEvent[]): Promise<void> {
    this.published.push(...events);
    if (this.published.length > 10_000) this.published.splice(0, 5_000);
  }

  deliver(events: OctaviaEvent[]): Promise<void> {
    return this.publish(events);
  }
}
