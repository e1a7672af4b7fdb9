// Machines that exist only as a note: the whole control plane without a process behind it.
import type { AmphoraBoot, Compute, ComputeDriver, ImageWish } from './compute-driver.ts';

export class NoopComputeDriver implements ComputeDriver {
  /** What machines are made of from now on. */
  image: string | null = null;
  /** Machines that amphorae share. */
  readonly hosts = new Set<string>();
  readonly #machines = new Map<string, Compute>();

  /** Each tag has images of its own. */
  async currentImage({ image_tag }: ImageWish): Promise<string | null> {
    return this.image === null || image_tag === null ? this.image : `${this.image}-${image_tag}`;
  }

  async build(boot: AmphoraBoot): Promise<Compute> {
    // A UUID, as Nova's ids are.
    const compute_id = boot.amphora_id;
    const made: Compute = this.#machines.get(compute_id) ?? {
      compute_id,
      amphora_id: boot.amphora_id,
      state: 'RUNNING',
      lb_network_ip: '192.0.2.1',
      zone: boot.availability_zone,
      image_id: await this.currentImage(boot),
      server_group: boot.server_group ?? null,
      host_id: boot.host_id ?? null,
    };
    if (boot.host_id) this.hosts.add(boot.host_id);
    this.#machines.set(compute_id, made);
    return made;
  }

  /** A noop machine outlives the process that made it: one that was made before a restart still runs. */
  async get(computeId: string): Promise<Compute> {
    return (
      this.#machines.get(computeId) ?? {
        compute_id: computeId,
        amphora_id: computeId,
        state: 'RUNNING',
        lb_network_ip: '192.0.2.1',
        zone: null,
        image_id: null,
      }
    );
  }

  async delete(computeId: string): Promise<void> {
    const machine = await this.get(computeId);
    this.#machines.set(computeId, { ...machine, state: 'GONE', lb_network_ip: null });
  }

  async hasHosts(): Promise<boolean> {
    return true;
  }

  async deleteHost(hostId: string): Promise<void> {
    for (const { compute_id, host_id } of await this.list()) if (host_id === hostId) await this.delete(compute_id);
    this.hosts.delete(hostId);
  }

  async list(): Promise<Compute[]> {
    return [...this.#machines.values()].filter((machine) => machine.state !== 'GONE');
  }
}
