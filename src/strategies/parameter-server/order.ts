import { ParagradError } from '../../errors.ts';

/**
 * A gradient that came to a server: which, computed from the weights of which version, and what became of it. It was refused as late;
 * or it came after the last update, and was dropped, while another server, which has other weights, may still have used it.
 */
export interface Taken {
  readonly worker: number;
  readonly sequence: number;
  readonly version: number;
  readonly refused: boolean;
  readonly dropped?: boolean;
}

const WORDS = 3;
const FIRST_LENGTH = 999;
/** 120 MB of words. */
const MOST = 10_000_000;

/** The order in which a server applied gradients: enough to do it again (`--replay`). Three words each. */
export class OrderLog {
  #words = new Int32Array(FIRST_LENGTH);
  #length = 0;
  /** Too long, or with a hole: such a run cannot be replayed. */
  #broken = false;

  add({ worker, sequence, version, refused, dropped }: Taken): void {
    if (this.#broken) return;
    if (this.#length >= MOST * WORDS) {
      this.break();
      return;
    }
    if (this.#length === this.#words.length) {
      const longer = new Int32Array(this.#length * 2);
      longer.set(this.#words);
      this.#words = longer;
    }
    this.#words[this.#length] = worker * 4 + (dropped ? 2 : 0) + (refused ? 1 : 0);
    this.#words[this.#length + 1] = sequence;
    this.#words[this.#length + 2] = version;
    this.#length += WORDS;
  }

  /** What was computed from weights that are lost cannot be computed again. */
  break(): void {
    this.#broken = true;
    this.#words = new Int32Array(0);
    this.#length = 0;
  }

  /** A copy; undefined when this run cannot be replayed. */
  words(): Int32Array | undefined {
    return this.#broken ? undefined : this.#words.slice(0, this.#length);
  }
}

/**
 * The order as it is in a file.
 *
 * @throws PARAGRAD_REPLAY when the words are no order of a run with `workers` workers
 */
export function takenOf(words: Int32Array, workers: number): Taken[] {
  const taken: Taken[] = [];
  for (let i = 0; i + WORDS <= words.length; i += WORDS)
    taken.push({
      worker: words[i] >> 2,
      sequence: words[i + 1],
      version: words[i + 2],
      refused: (words[i] & 1) === 1,
      dropped: (words[i] & 2) === 2,
    });
  if (words.length % WORDS === 0 && taken.every(({ worker }) => worker >= 0 && worker < workers)) return taken;
  throw new ParagradError('PARAGRAD_REPLAY', `the recorded order is not one of a run with ${workers} workers: use as many as then`, {
    place: { option: '--replay' },
  });
}
