import { type AddressInfo, createServer as createUnixServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { ParagradError } from '../../errors.ts';
import { badFrame } from '../frames/failures.ts';
import { GREETING_LIMITS } from '../frames/header.ts';
import { type Address, addressText, checkAddress, wrongAddress } from './address.ts';
import { type ChannelOptions, StreamChannel } from './channel.ts';
import { firstFrame, type Hello, readHello, refused, sendRefusal, sendWelcome, type Welcome } from './greeting.ts';
import { checkKey, IDENTITY, type Key, TLS_OPTIONS, tlsReason, wrongKey } from './key.ts';
import { Reader, readBy, Wire } from './wire.ts';

export interface ListenOptions extends ChannelOptions {
  /** A path in a folder that only its owner may enter, or a host and a port (0: any free one). */
  readonly address: Address;
  /** The run's; needed for TLS, and only there. */
  readonly key?: Key | undefined;
  readonly numericsVersion: number;
  /**
   * Decides about who said hello (with the right key and the right version): the answer, or a ParagradError that is sent as a
   * refusal. `gone` is aborted when it goes away before that.
   */
  admit(hello: Hello, gone: AbortSignal): Omit<Welcome, 'numericsVersion'> | Promise<Omit<Welcome, 'numericsVersion'>>;
  onChannel(channel: StreamChannel, hello: Hello): void;
  /** Told once of every connection that got nowhere, and why. */
  onRefused?: ((error: ParagradError) => void) | undefined;
  /** How long a connection may take to prove its key, and again to say hello. */
  readonly helloTimeoutMs?: number;
}

export interface Listener {
  /** With the port that was found, where 0 was asked for. */
  readonly address: Address;
  /** Listens no more. Channels stay. */
  close(): void;
}

const HELLO_TIMEOUT_MS = 5000;
/** Connections that have not said hello yet; who floods the port is cut off, and nothing grows. */
const MAX_STRANGERS = 256;

function whence(socket: Socket): string {
  return socket.remoteAddress === undefined ? 'a connection' : `a connection from ${socket.remoteAddress}`;
}

class Reception {
  readonly #options: ListenOptions;
  readonly #helloTimeoutMs: number;
  /** By who they are: with TLS first the bare connection, then the one on top of it. */
  readonly #strangers = new Map<string, Socket>();
  #count = 0;
  readonly #told = new WeakSet<Socket>();
  readonly server: Server;

  constructor(options: ListenOptions) {
    this.#options = options;
    this.#helloTimeoutMs = options.helloTimeoutMs ?? HELLO_TIMEOUT_MS;
    this.server = options.address.kind === 'unix' ? this.#unixServer() : this.#tlsServer(checkKey(options.key));
  }

  #unixServer(): Server {
    return createUnixServer({ pauseOnConnect: true }, (accepted) => {
      const reader = new Reader();
      const { socket, reads } = readBy(accepted, reader);
      this.#count += 1;
      const name = String(this.#count);
      if (this.#enter(socket, name)) void this.#greet(socket, name, reads ? undefined : reader);
      else this.#tell(socket, refused(`${whence(socket)} was refused: ${MAX_STRANGERS} others have not said hello yet`));
    });
  }

  #tlsServer(psk: Key): Server {
    const pskCallback = (_: Socket, identity: string): Key | null => (identity === IDENTITY ? psk : null);
    const server = createTlsServer({ ...TLS_OPTIONS, dhparam: 'auto', handshakeTimeout: this.#helloTimeoutMs, pskCallback });
    const nameOf = (socket: Socket): string => `${socket.remoteAddress} ${socket.remotePort}`;
    server.on('connection', (socket: Socket) => this.#enter(socket, nameOf(socket)));
    server.on('tlsClientError', (error, socket) => {
      // Of a socket that is destroyed nobody knows where it came from.
      const from = whence(socket);
      socket.destroy();
      this.#tell(socket, wrongKey(`${from} was refused: it has another key or none (${tlsReason(error)})`, error));
    });
    server.on('secureConnection', (socket) => {
      const name = nameOf(socket);
      this.#strangers.set(name, socket);
      void this.#greet(socket, name);
    });
    return server;
  }

  /** Counts a stranger; cuts it off when there are too many. */
  #enter(socket: Socket, name: string): boolean {
    // Whatever happens to a connection before it is a channel must not end the process.
    socket.on('error', () => undefined);
    if (this.#strangers.size >= MAX_STRANGERS) {
      socket.destroy();
      return false;
    }
    this.#strangers.set(name, socket);
    socket.once('close', () => this.#strangers.delete(name));
    return true;
  }

  #tell(socket: Socket, error: ParagradError): void {
    if (this.#told.has(socket)) return;
    this.#told.add(socket);
    this.#options.onRefused?.(error);
  }

  async #greet(socket: Socket, name: string, reader?: Reader): Promise<void> {
    const { admit, onChannel, numericsVersion } = this.#options;
    const timeoutMs = this.#helloTimeoutMs;
    const from = whence(socket);
    const wire = new Wire(socket, GREETING_LIMITS, reader === undefined);
    if (reader !== undefined) reader.wire = wire;
    socket.resume();
    const gone = new AbortController();
    socket.once('close', () => gone.abort());
    try {
      const late = (): Error => refused(`${from} said nothing within ${timeoutMs} ms`);
      const lost = (error: Error | undefined): Error => error ?? refused(`${from} went away without a hello`);
      const hello = readHello(await firstFrame(wire, GREETING_LIMITS, timeoutMs, late, lost));
      this.#strangers.delete(name);
      if (hello.numericsVersion !== numericsVersion)
        throw refused(`numerics version ${hello.numericsVersion} came, this side has ${numericsVersion}: install the same paragrad`);
      const welcome = await admit(hello, gone.signal);
      if (gone.signal.aborted) throw refused(`${from} went away before it was answered`);
      const channel = new StreamChannel(welcome.you, wire, this.#options);
      await sendWelcome(wire, { ...welcome, numericsVersion }, timeoutMs);
      onChannel(channel, hello);
    } catch (error) {
      const told = error instanceof ParagradError ? error : badFrame(`${from}: ${(error as Error).message}`);
      this.#strangers.delete(name);
      // Who does not speak like a rank learns nothing.
      if (told.code === 'PARAGRAD_FRAME') socket.destroy();
      if (!socket.destroyed) await sendRefusal(wire, told, timeoutMs).catch(() => undefined);
      await wire.end(timeoutMs);
      this.#tell(socket, told);
    }
  }

  close(): void {
    this.server.close();
    for (const socket of this.#strangers.values()) socket.destroy();
  }
}

/**
 * Listens for ranks: on a unix socket, protected by its folder, or on TCP with TLS, protected by the run's key.
 *
 * @throws PARAGRAD_ADDRESS, PARAGRAD_KEY
 */
export async function listen(options: ListenOptions): Promise<Listener> {
  const address = checkAddress(options.address);
  const reception = new Reception(options);
  const { server } = reception;
  await new Promise<void>((resolve, reject) => {
    const fail = (error: Error): void => reject(wrongAddress(`cannot listen at ${addressText(address)}: ${error.message}`, error));
    server.once('error', fail);
    server.listen(address.kind === 'unix' ? { path: address.path } : { host: address.host, port: address.port }, () => {
      server.off('error', fail);
      // An accept that fails, for want of file descriptors, is the problem of who wanted to connect.
      server.on('error', () => undefined);
      resolve();
    });
  });
  const port = address.kind === 'unix' ? 0 : (server.address() as AddressInfo).port;
  return { address: address.kind === 'unix' ? address : { ...address, port }, close: () => reception.close() };
}
