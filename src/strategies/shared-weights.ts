import type { ControlWord } from '../communicate/collective.ts';

/** Int64 words ahead of the weights: rows read, steps done, rank 0's word. */
const HEAD = 8;
const ROWS = 0;
const STEPS = 1;
const CONTROL_WORD = 2;

/** Weights that all threads read and write, without locks, and what they have done together. */
export class SharedWeights {
  readonly #words: BigInt64Array;
  readonly weights: Float64Array;

  constructor(memory: SharedArrayBuffer, count: number) {
    this.#words = new BigInt64Array(memory, 0, HEAD);
    this.weights = new Float64Array(memory, HEAD * 8, count);
  }

  /** By one thread, before any other looks. */
  start(weights: Float64Array, rows: number, steps: number): void {
    this.weights.set(weights);
    this.#words.fill(0n);
    this.#words[ROWS] = BigInt(rows);
    this.#words[STEPS] = BigInt(steps);
  }

  get rows(): number {
    return Number(Atomics.load(this.#words, ROWS));
  }

  get steps(): number {
    return Number(Atomics.load(this.#words, STEPS));
  }

  get control(): ControlWord {
    return Number(Atomics.load(this.#words, CONTROL_WORD)) as ControlWord;
  }

  set control(word: ControlWord) {
    Atomics.store(this.#words, CONTROL_WORD, BigInt(word));
  }

  /** Adds the way from `seen` to `to` to whatever stands there by now. */
  add(seen: Float64Array, to: Float64Array): void {
    const { weights } = this;
    // Where nobody was quicker the new value is written as it is, so that one thread alone has the bits of serial descent.
    for (let j = 0; j < weights.length; j += 1) weights[j] = weights[j] === seen[j] ? to[j] : weights[j] + (to[j] - seen[j]);
  }

  /** A step on so many rows is done. @returns rows read by then */
  count(rows: number): number {
    Atomics.add(this.#words, STEPS, 1n);
    Atomics.notify(this.#words, STEPS);
    return Number(Atomics.add(this.#words, ROWS, BigInt(rows))) + rows;
  }

  /** Waits, blocking the thread, until there are other than so many steps. */
  waitForStep(steps: number, timeoutMs: number): void {
    Atomics.wait(this.#words, STEPS, BigInt(steps), timeoutMs);
  }
}
