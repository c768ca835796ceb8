import type { Destination, Panels } from './pack.ts';

/** Rows that lie in a span of at most so many times their number are copied together before they are picked. */
const LOOSEST = 4;

/**
 * Writes numbers of rows that fill whole panels one after the other: the bits of `packNumbers`, several times as fast. A column's
 * values are first copied in one go, since picking them in mixed order waits for memory at each; and four are worked on at a time.
 */
export class DensePacker {
  readonly #lanes: number;
  /** Values from one panel to the next. */
  readonly #stride: number;
  #first = 0;
  #span = 0;
  /** Where each row is in the copied span. */
  #picks: Int32Array = new Int32Array(0);
  #count = 0;
  #copy = new Float64Array(0);

  constructor(lanes: number, stride: number) {
    this.#lanes = lanes;
    this.#stride = stride;
  }

  /** Tells the rows of the columns that follow. */
  begin({ rows, count }: Destination): void {
    let first = count === 0 ? 0 : (rows[0] as number);
    let last = first;
    for (let i = 1; i < count; i += 1) {
      const row = rows[i] as number;
      if (row < first) first = row;
      if (row > last) last = row;
    }
    this.#count = count;
    this.#span = last + 1 - first;
    this.#first = first;
    if (this.#span > count * LOOSEST) this.#span = 0;
    if (this.#copy.length < this.#span) this.#copy = new Float64Array(this.#span);
    if (this.#span === 0) {
      this.#picks = rows;
      return;
    }
    this.#picks = new Int32Array(count);
    for (let i = 0; i < count; i += 1) this.#picks[i] = (rows[i] as number) - first;
  }

  /** Writes a column whose first value is x[at]. Returns 0 when all that was stored is finite: infinities and NaN times 0 are NaN. */
  pack(values: Float64Array, x: Panels, at: number, mean: number, scale: number): number {
    let source = values;
    if (this.#span > 0) {
      this.#copy.set(values.subarray(this.#first, this.#first + this.#span));
      source = this.#copy;
    }
    const whole = this.#count - (this.#count % this.#lanes);
    const check =
      x instanceof Float32Array
        ? pack32(source, this.#picks, whole, x, at, this.#stride, mean, scale)
        : pack64(source, this.#picks, whole, x, at, this.#stride, mean, scale);
    let rest = 0;
    const line = at + (whole / this.#lanes) * this.#stride;
    for (let i = whole; i < this.#count; i += 1) {
      const k = line + i - whole;
      x[k] = ((source[this.#picks[i] as number] as number) - mean) / scale;
      rest += (x[k] as number) * 0;
    }
    return check + rest;
  }
}

function pack32(
  values: Float64Array,
  picks: Int32Array,
  count: number,
  x: Float32Array,
  at: number,
  stride: number,
  mean: number,
  scale: number,
): number {
  let [checkA, checkB, checkC, checkD] = [0, 0, 0, 0];
  for (let i = 0, line = at; i < count; i += 16, line += stride) {
    for (let lane = 0; lane < 16; lane += 4) {
      const a = Math.fround(((values[picks[i + lane] as number] as number) - mean) / scale);
      const b = Math.fround(((values[picks[i + lane + 1] as number] as number) - mean) / scale);
      const c = Math.fround(((values[picks[i + lane + 2] as number] as number) - mean) / scale);
      const d = Math.fround(((values[picks[i + lane + 3] as number] as number) - mean) / scale);
      x[line + lane] = a;
      x[line + lane + 1] = b;
      x[line + lane + 2] = c;
      x[line + lane + 3] = d;
      checkA += a * 0;
      checkB += b * 0;
      checkC += c * 0;
      checkD += d * 0;
    }
  }
  return checkA + checkB + checkC + checkD;
}

function pack64(
  values: Float64Array,
  picks: Int32Array,
  count: number,
  x: Float64Array,
  at: number,
  stride: number,
  mean: number,
  scale: number,
): number {
  let [checkA, checkB, checkC, checkD] = [0, 0, 0, 0];
  for (let i = 0, line = at; i < count; i += 8, line += stride) {
    for (let lane = 0; lane < 8; lane += 4) {
      const a = ((values[picks[i + lane] as number] as number) - mean) / scale;
      const b = ((values[picks[i + lane + 1] as number] as number) - mean) / scale;
      const c = ((values[picks[i + lane + 2] as number] as number) - mean) / scale;
      const d = ((values[picks[i + lane + 3] as number] as number) - mean) / scale;
      x[line + lane] = a;
      x[line + lane + 1] = b;
      x[line + lane + 2] = c;
      x[line + lane + 3] = d;
      checkA += a * 0;
      checkB += b * 0;
      checkC += c * 0;
      checkD += d * 0;
    }
  }
  return checkA + checkB + checkC + checkD;
}
