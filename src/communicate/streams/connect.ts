import { connect as connectUnix, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { assert, ParagradError } from '../../errors.ts';
import { GREETING_LIMITS, MESSAGE_LIMITS } from '../frames/header.ts';
import { type Address, addressText, checkAddress } from './address.ts';
import { type ChannelOptions, StreamChannel } from './channel.ts';
import { firstFrame, type Hello, readWelcome, refused, sendHello, type Welcome } from './greeting.ts';
import { checkKey, IDENTITY, isOfTls, type Key, TLS_OPTIONS, tlsReason, wrongKey } from './key.ts';
import { Reader, Wire } from './wire.ts';

export interface ConnectOptions extends ChannelOptions {
  readonly address: Address;
  /** The run's; needed for TLS, and only there. */
  readonly key?: Key | undefined;
  readonly hello: Hello;
  /** For the whole: until there is somebody at the address, the connection, and the answer. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal | undefined;
}

const TIMEOUT_MS = 30_000;
const PAUSE_MS = 20;
const DH_BITS = 2048;
/** Nobody listens there yet, or is too busy to answer. */
const NOT_YET = new Set(['ENOENT', 'ECONNREFUSED', 'EAGAIN', 'ECONNRESET', 'ETIMEDOUT']);

function codeOf(error: unknown): string {
  return String((error as { code?: unknown }).code ?? '');
}

function unreachable(address: Address, cause: unknown): ParagradError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new ParagradError('PARAGRAD_CONNECT', `${addressText(address)} cannot be reached: ${why}`, { cause });
}

function otherKey(address: Address, cause: unknown): ParagradError {
  return wrongKey(`${addressText(address)} has another key, or is not paragrad: ${tlsReason(cause)}`, cause);
}

/** A connection on which TLS, where it is used, has proved that both sides have the key. */
function open(address: Address, key: Key | undefined, timeoutMs: number): Promise<Wire> {
  return new Promise((resolve, reject) => {
    const onread = new Reader();
    let socket: Socket;
    if (address.kind === 'unix') socket = connectUnix({ path: address.path, onread });
    else {
      const { host, port } = address;
      const psk = checkKey(key);
      // No certificates are offered, so there are none to check: the key is the proof.
      const proof = { pskCallback: () => ({ psk, identity: IDENTITY }), checkServerIdentity: () => undefined };
      // `onread` is not among the types of TLS, but of the socket below.
      const options = { host, port, ...TLS_OPTIONS, ...proof, minDHSize: DH_BITS, onread };
      socket = connectTls(options);
    }
    const timer = setTimeout(() => socket.destroy(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs);
    const fail = (error: unknown): void => {
      clearTimeout(timer);
      socket.destroy();
      reject(error);
    };
    const onClose = (): void => fail(new Error('the connection was closed'));
    socket.once('error', fail).once('close', onClose);
    socket.once(address.kind === 'unix' ? 'connect' : 'secureConnect', () => {
      clearTimeout(timer);
      const wire = new Wire(socket, GREETING_LIMITS, false);
      onread.wire = wire;
      socket.off('error', fail).off('close', onClose);
      resolve(wire);
    });
  });
}

async function openAt(options: ConnectOptions, deadline: number): Promise<Wire> {
  const { address, key, signal } = options;
  for (;;) {
    signal?.throwIfAborted();
    try {
      return await open(address, key, Math.max(1, deadline - performance.now()));
    } catch (error) {
      const code = codeOf(error);
      if (error instanceof ParagradError) throw error;
      if (isOfTls(error)) throw otherKey(address, error);
      if (!NOT_YET.has(code) || performance.now() + PAUSE_MS >= deadline) throw unreachable(address, error);
    }
    await new Promise((resolve) => {
      setTimeout(resolve, PAUSE_MS);
    });
  }
}

/**
 * Connects to a listener and says hello; tries again while nobody listens there yet.
 *
 * @throws PARAGRAD_CONNECT when it cannot be reached in time, PARAGRAD_KEY, PARAGRAD_ADDRESS, PARAGRAD_FRAME when it is not
 * paragrad or another version of it, PARAGRAD_HELLO, PARAGRAD_GENERATION or whatever else the other side refuses with
 */
export async function connect(options: ConnectOptions): Promise<{ channel: StreamChannel; welcome: Welcome }> {
  const { hello, timeoutMs = TIMEOUT_MS, signal } = options;
  const address = checkAddress(options.address);
  const deadline = performance.now() + timeoutMs;
  const wire = await openAt(options, deadline);
  const abort = (): void => void wire.socket.destroy();
  signal?.addEventListener('abort', abort, { once: true });
  try {
    const left = Math.max(1, deadline - performance.now());
    const late = (): Error => unreachable(address, new Error(`no answer to the hello within ${timeoutMs} ms`));
    const lost = (error: Error | undefined): Error =>
      error instanceof ParagradError
        ? error
        : isOfTls(error ?? {})
          ? otherKey(address, error)
          : unreachable(address, error ?? new Error('the connection was closed'));
    const answer = firstFrame(wire, MESSAGE_LIMITS, left, late, lost);
    const [frame] = await Promise.all([answer, sendHello(wire, hello, left)]);
    const welcome = readWelcome(frame);
    if (welcome.numericsVersion !== hello.numericsVersion)
      throw refused(
        `rank ${welcome.rank} has numerics version ${welcome.numericsVersion}, this one ${hello.numericsVersion}`,
        welcome.rank,
      );
    if (hello.rank !== undefined && welcome.you !== hello.rank) throw refused(`rank ${hello.rank} was taken for ${welcome.you}`);
    assert(welcome.rank !== welcome.you, 'a rank met itself');
    return { channel: new StreamChannel(welcome.rank, wire, options), welcome };
  } catch (error) {
    wire.socket.destroy();
    signal?.throwIfAborted();
    throw error;
  } finally {
    signal?.removeEventListener('abort', abort);
  }
}
