// A client that sends bytes and keeps what comes back, until the connection ends.
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

export interface Exchanged {
  text: string;
  /** From the connection to its end. */
  ms: number;
}

const givenUpAfterMs = 30_000;

export async function connected(host: string, port: number, localAddress?: string): Promise<Socket> {
  const socket = connect({ host, port, allowHalfOpen: true, ...(localAddress ? { localAddress } : {}) });
  // Whoever needs to know hears of it by `close`.
  socket.on('error', () => {});
  await Promise.race([
    once(socket, 'connect'),
    once(socket, 'close').then(() => Promise.reject(new Error('no connection'))),
  ]);
  return socket;
}

/** Sends, and waits until the other side ends the connection. @throws Error when it never does */
export async function exchange(
  host: string,
  port: number,
  bytes: string | Buffer,
  end: 'half closes' | 'stays',
): Promise<Exchanged> {
  const since = performance.now();
  const socket = await connected(host, port);
  const received: Buffer[] = [];
  socket.on('data', (data) => received.push(data));
  socket.setTimeout(givenUpAfterMs, () => socket.destroy(new Error('the connection never ended')));
  if (end === 'half closes') socket.end(bytes);
  else if (bytes.length > 0) socket.write(bytes);
  await Promise.race([once(socket, 'end'), once(socket, 'close')]);
  const ms = performance.now() - since;
  socket.destroy();
  return { text: Buffer.concat(received).toString('latin1'), ms };
}
