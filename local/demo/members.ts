// Members for the demonstration and the benchmarks: small HTTP servers in this process that answer with their name.
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Member {
  name: string;
  address: string;
  protocol_port: number;
  close(): void;
}

export async function startMember(name: string): Promise<Member> {
  const server: Server = createServer((_request, response) => response.end(name));
  // HAProxy keeps connections to members; one that closes them by its own clock would answer a request with a reset.
  server.keepAliveTimeout = 0;
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const close = () => {
    server.close();
    server.closeAllConnections();
  };
  return { name, address: '127.0.0.1', protocol_port: port, close };
}
