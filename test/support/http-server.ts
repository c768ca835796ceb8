import { closeSync, openSync, readSync, statSync } from 'node:fs';
import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer, type ServerOptions } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';

export interface FileServer extends AsyncDisposable {
  readonly url: string;
  /** In the order in which they came. */
  readonly asked: { readonly path: string; readonly range: string | undefined }[];
}

export interface FileServerOptions {
  /** Default true; false: every answer is the whole file. */
  readonly ranges?: boolean;
  readonly tls?: ServerOptions;
  /** True: it has answered in place of the file. Counts requests from 0. */
  readonly instead?: (request: IncomingMessage, response: ServerResponse, count: number) => boolean;
  /** In place of one made of size and time of change; null: none. */
  readonly tag?: () => string | null;
}

/** A server of the files of a folder, as any web server would be one, on a port of its own. */
export async function fileServer(folder: string, options: FileServerOptions = {}): Promise<FileServer> {
  const { ranges = true, instead, tls } = options;
  const asked: FileServer['asked'] = [];
  const answer: RequestListener = (request, response) => {
    const path = decodeURIComponent(new URL(request.url ?? '/', 'http://any').pathname);
    const count = asked.push({ path, range: request.headers.range }) - 1;
    if (instead?.(request, response, count) === true) return;
    const file = join(folder, path);
    const facts = statSync(file, { throwIfNoEntry: false });
    if (facts?.isFile() !== true) return void response.writeHead(404).end('no such file');
    const tag = options.tag === undefined ? `"${facts.size}-${facts.mtimeMs}"` : options.tag();
    const headers = { ...(ranges ? { 'accept-ranges': 'bytes' } : {}), ...(tag === null ? {} : { etag: tag }) };
    const [, from, to] = (ranges ? /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '') : null) ?? [];
    const begin = Number(from ?? 0);
    if (from !== undefined && begin >= facts.size) return void response.writeHead(416, { 'content-range': `bytes */${facts.size}` }).end();
    const end = to === undefined ? facts.size : Math.min(facts.size, Number(to) + 1);
    const bytes = Buffer.alloc(end - begin);
    const open = openSync(file, 'r');
    readSync(open, bytes, 0, bytes.length, begin);
    closeSync(open);
    const range = from === undefined ? {} : { 'content-range': `bytes ${begin}-${end - 1}/${facts.size}` };
    response.writeHead(from === undefined ? 200 : 206, { ...headers, ...range, 'content-length': bytes.length }).end(bytes);
  };
  const server: Server = tls === undefined ? createServer(answer) : createTlsServer(tls, answer);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
