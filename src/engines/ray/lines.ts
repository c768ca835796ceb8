import { createHash } from 'node:crypto';
import { ParagradError } from '../../errors.ts';
import { decodePlain, encodePlain } from '../worker/plain.ts';

/**
 * Messages in the log of a job, among whatever else is written there: `@paragrad NUMBER PART/PARTS DIGEST BASE64`. A log is all
 * that comes back from a cluster of which only one port is reached.
 */
const MARK = '@paragrad ';
/** Ray cuts and delays lines that are much longer. */
const LINE_BYTES = 6000;
/** More is no message but a mistake: 8 million weights. */
const MOST_BYTES = 96 * 1024 * 1024;
const FORM = /^@paragrad (\d+) (\d+)\/(\d+) ([0-9a-f]{16}) ([A-Za-z0-9+/=]+)$/u;

const digestOf = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex').slice(0, 16);

/** The lines of a message. @param number counts messages, from 0 */
export function linesOf(number: number, message: unknown): string[] {
  const body = Buffer.concat(encodePlain(message));
  if (body.length > MOST_BYTES)
    throw new ParagradError('PARAGRAD_RAY_JOB', `a message of ${body.length} bytes is too long for the log of a job (${MOST_BYTES})`);
  const parts = Math.ceil(body.length / LINE_BYTES);
  const digest = digestOf(body);
  return Array.from({ length: parts }, (_, part) => {
    const piece = body.subarray(part * LINE_BYTES, (part + 1) * LINE_BYTES);
    return `${MARK}${number} ${part}/${parts} ${digest} ${piece.toString('base64')}`;
  });
}

/** Finds messages among lines. One whose lines came twice is told once; one of which a line is missing, not at all. */
export class MessageReader<T> {
  readonly #onMessage: (message: T) => void;
  readonly #onOther: (line: string) => void;
  #told = -1;
  #number = -1;
  #digest = '';
  #pieces: Buffer[] = [];

  constructor(onMessage: (message: T) => void, onOther: (line: string) => void) {
    this.#onMessage = onMessage;
    this.#onOther = onOther;
  }

  readonly push = (line: string): void => {
    const [, number, part, parts, digest, text] = FORM.exec(line) ?? [];
    if (text === undefined || digest === undefined) {
      if (!line.startsWith(MARK)) this.#onOther(line);
      return;
    }
    if (Number(part) === 0) {
      this.#number = Number(number);
      this.#digest = digest;
      this.#pieces = [];
    }
    if (Number(number) !== this.#number || digest !== this.#digest || Number(part) !== this.#pieces.length) return;
    this.#pieces.push(Buffer.from(text, 'base64'));
    if (this.#pieces.length === Number(parts)) this.#finish();
  };

  #finish(): void {
    const body = Buffer.concat(this.#pieces);
    this.#pieces = [];
    if (this.#number <= this.#told || digestOf(body) !== this.#digest) return;
    this.#told = this.#number;
    this.#onMessage(decodePlain<T>({ body: new Uint8Array(body) }));
  }
}
