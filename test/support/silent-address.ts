// A place where connections are begun and never taken: a listener of a process that is stopped, with its queue full.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

const program = `const { createServer } = require('node:net');
const server = createServer().listen({ host: '127.0.0.1', port: 0, backlog: 1 }, () => console.log(server.address().port));`;

export interface SilentAddress extends Disposable {
  attributes: { address: string; protocol_port: number };
}

export async function silentAddress(): Promise<SilentAddress> {
  const child = spawn(process.execPath, ['-e', program], { stdio: ['ignore', 'pipe', 'ignore'] });
  const [line] = (await once(child.stdout, 'data')) as [Buffer];
  const protocol_port = Number(line.toString());
  child.kill('SIGSTOP');
  // What the queue holds; from then on the system answers nobody.
  const waiting: Socket[] = Array.from({ length: 4 }, () => connect(protocol_port, '127.0.0.1').on('error', () => {}));
  await once(waiting[0]!, 'connect');
  return {
    attributes: { address: '127.0.0.1', protocol_port },
    [Symbol.dispose]() {
      for (const socket of waiting) socket.destroy();
      child.kill('SIGKILL');
    },
  };
}
