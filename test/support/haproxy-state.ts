// What a load balancer's running HAProxy says of itself, asked on its master socket, and what its file says.
import { readFileSync } from 'node:fs';
import { outline } from '../../amphora/agent/config-diff.ts';
import { type Processes, RuntimeApi } from '../../amphora/agent/runtime-api.ts';
import type { LocalService } from './local-service.ts';

export interface ServerState {
  address: string;
  protocol_port: number;
  weight: number;
  admin_state_up: boolean;
}

export class HaproxyState {
  readonly #service: LocalService;
  readonly #loadBalancerId: string;

  constructor(service: LocalService, loadBalancerId: string) {
    this.#service = service;
    this.#loadBalancerId = loadBalancerId;
  }

  async processes(): Promise<Processes> {
    return (await this.#runtime()).showProcesses();
  }

  async ask(command: string): Promise<string> {
    const runtime = await this.#runtime();
    const { worker } = await runtime.showProcesses();
    return runtime.ask(worker!, command);
  }

  /** Resident memory of the worker. */
  async memoryKib(): Promise<number> {
    const { worker } = await this.processes();
    return Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${worker}/status`, 'utf8'))![1]);
  }

  /** Servers of the running process, by name. */
  async servers(): Promise<Map<string, ServerState>> {
    const [, heading = '', ...rows] = (await this.ask('show servers state')).trim().split('\n');
    const columns = heading.replace(/^#\s*/, '').split(' ');
    const states = rows.map((row): [string, ServerState] => {
      const cells = row.split(' ');
      const cell = (name: string) => cells[columns.indexOf(name)] ?? '';
      const state = {
        address: cell('srv_addr'),
        protocol_port: Number(cell('srv_port')),
        weight: Number(cell('srv_uweight')),
        admin_state_up: cell('srv_admin_state') === '0',
      };
      return [cell('srv_name'), state];
    });
    return new Map(states.sort(byName));
  }

  /** Servers of the file that a start reads, by name. */
  async serversOfFile(): Promise<Map<string, ServerState>> {
    const text = this.#service.configuration(await this.#amphora(), this.#loadBalancerId);
    const states = [...outline(text).members.values()].map(({ name, parameters, weight, isDisabled }) => {
      const [, address = '', port] = /^(\S+):(\d+)/.exec(parameters) ?? [];
      const state = { address, protocol_port: Number(port), weight, admin_state_up: !isDisabled };
      return [name, state] as [string, ServerState];
    });
    return new Map(states.sort(byName));
  }

  #amphora() {
    return this.#service.amphora(this.#loadBalancerId);
  }

  async #runtime(): Promise<RuntimeApi> {
    return new RuntimeApi(`/proc/${(await this.#amphora()).haproxy}/cwd/master.sock`);
  }
}

const byName = ([a]: [string, ServerState], [b]: [string, ServerState]) => (a < b ? -1 : 1);
