// Joins its standard input and output with a port of this machine: one connection of a virtual machine's to EC2's metadata.
import { connect } from 'node:net';

const socket = connect(Number(process.argv[2]), '127.0.0.1');
process.stdin.pipe(socket);
socket.pipe(process.stdout);
socket.on('close', () => process.exit(0)).on('error', () => process.exit(1));
