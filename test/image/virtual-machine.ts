// A machine of an amphora image under qemu, in a network that looks like EC2's to it: DHCP, metadata at 169.254.169.254, user data.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, constants, readFileSync } from 'node:fs';
import type { BootableDisk } from '../../amphora/image/root-filesystem.ts';

/** qemu's network: what the machine gets, what stands for this machine, and VIPs beside them. */
export const guest = { network: '169.254.0.0/16', address: '169.254.0.15', host: '169.254.0.2', vip: '169.254.1.9' };
const instance = 'ec2a0000-0000-4000-8000-000000000001';

export interface Forward {
  protocol: 'tcp' | 'udp';
  /** On this machine. */
  from: string;
  /** In the machine's network. */
  to: string;
}

/** A machine that is virtual itself may have the device without what its processor needs for it. */
export function hasKvm(): boolean {
  try {
    accessSync('/dev/kvm', constants.R_OK | constants.W_OK);
    return /^flags\s*:.*\b(vmx|svm)\b/m.test(readFileSync('/proc/cpuinfo', 'utf8'));
  } catch {
    return false;
  }
}

export class VirtualMachine implements AsyncDisposable {
  readonly #process: ChildProcess;

  private constructor(child: ChildProcess) {
    this.#process = child;
  }

  /** @param metadataPort of this machine @param consoleFile gets what the machine says */
  static start(disk: BootableDisk, metadataPort: number, forwards: Forward[], consoleFile: string): VirtualMachine {
    const relay = `cmd:${process.execPath} ${new URL('relay.mjs', import.meta.url).pathname} ${metadataPort}`;
    const network = [
      `user,id=net,net=${guest.network},host=${guest.host},dhcpstart=${guest.address}`,
      `guestfwd=tcp:169.254.169.254:80-${relay}`,
      ...forwards.map(({ protocol, from, to }) => `hostfwd=${protocol}:${from}-${to}`),
    ];
    const words = [
      ...['-accel', hasKvm() ? 'kvm' : 'tcg', '-cpu', hasKvm() ? 'host' : 'max', '-smp', '2', '-m', '512'],
      ...['-kernel', disk.kernel, '-initrd', disk.initrd, '-append', 'root=/dev/vda rw console=ttyS0 no_timer_check'],
      ...['-drive', `file=${disk.disk},format=raw,if=virtio,snapshot=on`],
      ...['-netdev', network.join(','), '-device', 'virtio-net-pci,netdev=net', '-device', 'virtio-rng-pci'],
      // By which cloud-init knows EC2.
      ...['-smbios', `type=1,manufacturer=Amazon EC2,uuid=${instance},serial=${instance}`],
      ...['-display', 'none', '-monitor', 'none', '-serial', `file:${consoleFile}`, '-no-reboot'],
    ];
    return new VirtualMachine(spawn('qemu-system-x86_64', words, { stdio: ['ignore', 2, 2] }));
  }

  get isRunning(): boolean {
    return this.#process.exitCode === null && this.#process.signalCode === null;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.isRunning) return;
    const ended = once(this.#process, 'exit');
    this.#process.kill('SIGKILL');
    await ended;
  }
}
