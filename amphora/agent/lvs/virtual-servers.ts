// The UDP and SCTP listeners on this amphora, beside the HAProxy of the others: Octavia's keepalivedlvs. Called in turn with HAProxy's
// verbs, by the one who keeps the turns.
import { execFile } from 'node:child_process';
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { promisify } from 'node:util';
import type { AgentSettings } from '../../agent-api.ts';
import { log, textOf } from '../log.ts';
import type { ListenerStates, Pools, StatRow } from '../statistics.ts';
import { documentsIn, lvsListeners } from './documents.ts';
import { KeepalivedProcess } from './keepalived-process.ts';
import { isAt, type KernelService, readServices, readTraffic } from './kernel-table.ts';
import { checkVirtualServers, missingFor, refusalOfAll } from './lvs-check.ts';
import { type LvsSettings, lvsSettings } from './lvs-settings.ts';
import { lvsStates, trafficRows } from './states.ts';

const run = promisify(execFile);

export class VirtualServers {
  readonly #settings: LvsSettings;
  readonly #onRestart: () => void;
  #process: KeepalivedProcess | null = null;
  /** keepalived's document as it runs with it; empty when it does not run. */
  #inForce = '';

  constructor(settings: AgentSettings, onRestart: () => void) {
    this.#settings = lvsSettings(settings);
    this.#onRestart = onRestart;
  }

  /** @throws ConfigurationRefused */
  check(loadBalancerId: string, text: string): Promise<void> {
    return checkVirtualServers(this.#settings, loadBalancerId, text);
  }

  /**
   * With a text that was checked.
   * @returns false when nothing differed
   * @throws ConfigurationRefused; then keepalived may have stopped, and goBack() puts it right
   */
  async bringIntoForce(loadBalancerId: string, text: string): Promise<boolean> {
    const { keepalived } = documentsIn(text);
    if (keepalived === this.#inForce && (keepalived === '' || this.#process?.isRunning)) return false;
    try {
      await this.#change(loadBalancerId, keepalived);
    } catch (error) {
      throw refusalOfAll(text, textOf(error), { cause: error });
    }
    return true;
  }

  /** To the last good text, or to none. What goes wrong now is for the next push to be told. */
  async goBack(loadBalancerId: string, text: string): Promise<void> {
    await this.bringIntoForce(loadBalancerId, text).catch((error) =>
      log('keepalived does not go back', { error: textOf(error) }),
    );
  }

  /** After a start of the agent: takes over the keepalived that is there, or starts it. */
  async recover(loadBalancerId: string, text: string): Promise<void> {
    const { keepalived } = documentsIn(text);
    if (this.#processFor(loadBalancerId).adopt()) this.#inForce = 'as it was left';
    // A kill may have come between the file and the process: told again, it leaves alone what is as it should be.
    if (keepalived !== '' || this.#inForce !== '') await this.goBack(loadBalancerId, text);
  }

  /** Ends keepalived, and with it what it put into the kernel. */
  async stop(): Promise<void> {
    await this.#process?.stop();
    await this.#clear(this.#inForce);
    this.#inForce = '';
  }

  /** The load balancer is no more. */
  async remove(): Promise<void> {
    await this.stop();
    this.#process = null;
  }

  /** Nothing of listeners that are not served. */
  states(text: string): { listeners: ListenerStates; pools: Pools } {
    if (!this.#process?.isRunning) return { listeners: {}, pools: {} };
    return lvsStates(lvsListeners(documentsIn(text).keepalived), this.#services());
  }

  /** Null when it cannot be known; none is known of what does not run. */
  async traffic(text: string): Promise<StatRow[] | null> {
    if (!this.#process?.isRunning) return null;
    const output = await run(this.#settings.ipvsadmPath, ['-Ln', '--stats', '--exact']).catch(() => null);
    return output && trafficRows(lvsListeners(documentsIn(text).keepalived), readTraffic(output.stdout));
  }

  async #change(loadBalancerId: string, keepalived: string): Promise<void> {
    if (keepalived === '') return this.stop();
    const missing = missingFor(this.#settings);
    if (missing !== null) throw new Error(missing);
    const keepalivedProcess = this.#processFor(loadBalancerId);
    // For whoever reads the file while it is being written.
    writeFileSync(`${keepalivedProcess.file}.new`, keepalived, { mode: 0o600 });
    renameSync(`${keepalivedProcess.file}.new`, keepalivedProcess.file);
    const before = this.#inForce;
    this.#inForce = keepalived;
    if (keepalivedProcess.isRunning) return keepalivedProcess.reload(() => this.#isServed(keepalived));
    await this.#clear(before);
    await this.#clear(keepalived);
    return keepalivedProcess.start(() => this.#isServed(keepalived));
  }

  #processFor(loadBalancerId: string): KeepalivedProcess {
    this.#process ??= new KeepalivedProcess(this.#settings.keepalivedPath, loadBalancerId, this.#onRestart);
    return this.#process;
  }

  #isServed(keepalived: string): boolean {
    const services = this.#services();
    const isThere = (protocol: string, place: { address: string; port: number }) =>
      services.some((service) => service.protocol === protocol && isAt(service, place));
    return lvsListeners(keepalived).every(({ protocol, places }) => places.every((place) => isThere(protocol, place)));
  }

  /** A keepalived that was killed leaves its virtual servers behind, members and all; the next one would only add to them. */
  async #clear(keepalived: string): Promise<void> {
    const listeners = lvsListeners(keepalived);
    for (const { protocol, address, port } of this.#services()) {
      const isOurs = listeners.some(
        (listener) => listener.protocol === protocol && listener.places.some((place) => isAt(place, { address, port })),
      );
      if (!isOurs) continue;
      const host = address.includes(':') ? `[${address}]` : address;
      const kind = protocol === 'UDP' ? '-u' : '--sctp-service';
      await run(this.#settings.ipvsadmPath, ['-D', kind, `${host}:${port}`]).catch((error) =>
        log('a virtual server is left', { address, port, error: textOf(error) }),
      );
    }
  }

  #services(): KernelService[] {
    const file = `${this.#settings.procDirectory}/net/ip_vs`;
    return existsSync(file) ? readServices(readFileSync(file, 'utf8')) : [];
  }
}
