import { connect, type Socket } from 'node:net';
import { frameHead } from '../../src/communicate/frames/frame.ts';
import { HEADER_BYTES, TYPE } from '../../src/communicate/frames/header.ts';
import { writeMeta } from '../../src/communicate/frames/meta.ts';
import type { Address } from '../../src/communicate/streams/address.ts';
import { crc32c } from '../../src/crc32c.ts';

/** What a side would send that speaks by itself. */

/** A frame's head with another version of the protocol, and the checksum that belongs to it. */
export function withVersion(head: Uint8Array, version: number): Uint8Array {
  const bytes = head.slice();
  const view = new DataView(bytes.buffer);
  view.setUint16(4, version, true);
  view.setUint32(HEADER_BYTES - 4, crc32c(bytes.subarray(0, HEADER_BYTES - 4)), true);
  return bytes;
}

export function helloBytes(hello: Parameters<typeof writeMeta>[0]): Uint8Array {
  return frameHead({ type: TYPE.hello, kind: 0, generation: 0, step: 0, sequence: 0, bodyBytes: 0 }, writeMeta(hello));
}

/** A bare connection, and all that comes until it is closed. */
export function rawConnection(address: Address): { socket: Socket; answer: Promise<Buffer> } {
  const socket = connect(address.kind === 'unix' ? { path: address.path } : { host: address.host, port: address.port });
  const pieces: Buffer[] = [];
  socket.on('data', (bytes) => pieces.push(bytes));
  // A reset is one way of being closed.
  socket.on('error', () => undefined);
  const answer = new Promise<Buffer>((resolve) => {
    socket.on('close', () => resolve(Buffer.concat(pieces)));
  });
  return { socket, answer };
}
