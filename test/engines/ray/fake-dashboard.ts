import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type WebSocket, WebSocketServer } from 'ws';

export interface FakeDashboard extends AsyncDisposable {
  readonly url: string;
  /** `METHOD path`, in the order in which they came. */
  readonly asked: string[];
}

export interface Answers {
  /** Undefined: never answers. */
  readonly http?: (request: IncomingMessage, body: Buffer) => { status: number; text?: string; body?: Buffer } | undefined;
  readonly tail?: (socket: WebSocket) => void;
}

/** Stands where a Ray dashboard would, and answers what a test wants. */
export async function fakeDashboard({ http = () => ({ status: 404 }), tail }: Answers): Promise<FakeDashboard> {
  const asked: string[] = [];
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const pieces: Buffer[] = [];
    for await (const piece of request as AsyncIterable<Buffer>) pieces.push(piece);
    asked.push(`${request.method} ${request.url}`);
    const found = http(request, Buffer.concat(pieces));
    if (found !== undefined) response.writeHead(found.status).end(found.body ?? found.text ?? '');
  };
  const server = createServer((request, response) => void answer(request, response).catch(() => response.destroy()));
  const sockets = new WebSocketServer({ noServer: true });
  server.on('upgrade', (request, socket, head) => {
    asked.push(`TAIL ${request.url}`);
    if (tail === undefined) socket.destroy();
    else sockets.handleUpgrade(request, socket, head, (ready) => tail(ready));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets.clients) socket.terminate();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
