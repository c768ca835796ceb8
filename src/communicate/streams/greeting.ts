import { type ErrorCode, ParagradError } from '../../errors.ts';
import { badFrame } from '../frames/failures.ts';
import { type Frame, frameHead } from '../frames/frame.ts';
import { type FrameLimits, type FrameType, TYPE } from '../frames/header.ts';
import { type Fields, type MetaOf, readMeta, TEXT_LENGTH, writeMeta } from '../frames/meta.ts';
import type { Wire } from './wire.ts';

/**
 * The first frame of the side that connects: who it is, and what it wants to be part of. (The version of the protocol stands in
 * the header of every frame.)
 */
const HELLO = {
  /** Which group of ranks; one listener may serve several. */
  group: { type: 'text' },
  numericsVersion: { type: 'whole' },
  generation: { type: 'whole' },
  /** Not there: a worker that asks for a rank. */
  rank: { type: 'whole', optional: true },
  size: { type: 'whole', optional: true },
} as const satisfies Fields;
export type Hello = MetaOf<typeof HELLO>;

/** The answer: who is met, and as which rank the other side is known from now on. */
const WELCOME = {
  rank: { type: 'whole' },
  you: { type: 'whole' },
  size: { type: 'whole' },
  generation: { type: 'whole' },
  numericsVersion: { type: 'whole' },
} as const satisfies Fields;
export type Welcome = MetaOf<typeof WELCOME>;

const REFUSAL = { code: { type: 'text' }, message: { type: 'text' } } as const satisfies Fields;

/** The sides do not belong together. */
export function refused(what: string, rank?: number): ParagradError {
  return new ParagradError('PARAGRAD_HELLO', what, rank === undefined ? {} : { place: { rank } });
}

function greet(wire: Wire, type: FrameType, meta: Uint8Array, timeoutMs: number): Promise<void> {
  const head = frameHead({ type, kind: 0, generation: 0, step: 0, sequence: 0, bodyBytes: 0 }, meta);
  return wire.write(head, [], timeoutMs, () => refused('the greeting could not be sent in time'));
}

export function sendHello(wire: Wire, hello: Hello, timeoutMs: number): Promise<void> {
  return greet(wire, TYPE.hello, writeMeta({ ...hello }), timeoutMs);
}

export function sendWelcome(wire: Wire, welcome: Welcome, timeoutMs: number): Promise<void> {
  return greet(wire, TYPE.welcome, writeMeta({ ...welcome }), timeoutMs);
}

export function sendRefusal(wire: Wire, error: ParagradError, timeoutMs: number): Promise<void> {
  const { code, message } = error;
  return greet(wire, TYPE.refusal, writeMeta({ code, message: message.slice(0, TEXT_LENGTH) }), timeoutMs);
}

/** @throws PARAGRAD_FRAME */
export function readHello(frame: Frame): Hello {
  if (frame.type !== TYPE.hello) throw badFrame('something else came where a hello was due');
  return readMeta(frame.meta, HELLO);
}

/** @throws the refusal, or PARAGRAD_FRAME */
export function readWelcome(frame: Frame): Welcome {
  if (frame.type === TYPE.welcome) return readMeta(frame.meta, WELCOME);
  if (frame.type !== TYPE.refusal) throw badFrame('something else came where a welcome was due');
  const { code, message } = readMeta(frame.meta, REFUSAL);
  if (!/^PARAGRAD_[A-Z_]{1,40}$/.test(code)) throw badFrame('a refusal has no code');
  throw new ParagradError(code as ErrorCode, `refused by the other side: ${message}`);
}

/**
 * The first frame that comes; what comes behind it may be as large as `then`.
 *
 * @throws what ended the connection, or `late` after `timeoutMs`
 */
export function firstFrame(
  wire: Wire,
  then: FrameLimits,
  timeoutMs: number,
  late: () => Error,
  lost: (error: Error | undefined) => Error,
): Promise<Frame> {
  return new Promise((resolve, reject) => {
    const settle = (run: () => void): void => {
      clearTimeout(timer);
      wire.listen(undefined);
      wire.limits = then;
      run();
    };
    const timer = setTimeout(() => settle(() => reject(late())), timeoutMs);
    wire.listen({ frame: (frame) => settle(() => resolve(frame)), end: (error) => settle(() => reject(lost(error))) });
  });
}
