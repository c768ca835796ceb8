import { CACHE_LINE_BYTES, groupOfPanel, panelRows } from '../partition/layout.ts';
import type { Kernels } from './kernels.ts';
import { foldLanes, LANES, LIST, LIST_WORDS, STEP, STEP_WORDS } from './kernels.ts';

type Entry = Readonly<Record<keyof typeof LIST, number>>;

/** In the scratch of the kernels of lists, in lines: dots, residuals, lanes, and the sample weights of a panel that is cut. */
const LINES = { dots: 0, residuals: 1, lanes: 2, masked: 9 } as const;

/** The kernels of mini-batches, word for word, from those of runs: the oracle of assembly/batch.ts and assembly/descend.ts. */
export class ReferenceLists {
  readonly #kernels: Pick<Kernels, 'dtype' | 'memory' | 'dots' | 'derivative' | 'update' | 'flush'>;

  constructor(kernels: Pick<Kernels, 'dtype' | 'memory' | 'dots' | 'derivative' | 'update' | 'flush'>) {
    this.#kernels = kernels;
  }

  #f64(at: number, length: number): Float64Array<ArrayBufferLike> {
    return new Float64Array(this.#kernels.memory.buffer, at, length);
  }

  #entries(list: number, count: number): Entry[] {
    const words = new Uint32Array(this.#kernels.memory.buffer, list, count * LIST_WORDS);
    const fields = Object.entries(LIST);
    return Array.from({ length: count }, (_, i) => {
      return Object.fromEntries(fields.map(([field, word]) => [field, words[i * LIST_WORDS + word] as number])) as unknown as Entry;
    });
  }

  readonly gradientList: Kernels['gradientList'] = (loss, list, count, columns, blockColumns, w, b, scratch, accumulators, out) => {
    const kernels = this.#kernels;
    const [dots, residuals, lanes] = [LINES.dots, LINES.residuals, LINES.lanes].map((line) => scratch + line * CACHE_LINE_BYTES);
    const entries = this.#entries(list, count);
    let sums = out;
    for (const [i, entry] of entries.entries()) {
      const before = entries[i - 1];
      if (before?.chunk !== entry.chunk) {
        this.#f64(lanes, 2 * LANES).fill(0);
        this.#f64(sums, 2 + columns).fill(0);
      } else if (kernels.dtype === 'f32' && groupOfPanel(entry.panel) !== groupOfPanel(before.panel))
        kernels.flush(columns, accumulators, sums + 16);
      const run = { x: entry.x, panelStride: 0, panels: 1, columns, blockColumns, firstPanel: entry.panel };
      const v = this.#masked(entry, scratch + LINES.masked * CACHE_LINE_BYTES);
      kernels.dots(run, w, dots);
      kernels.derivative(loss, 1, dots, b, { y: entry.y, v, offset: entry.offset }, residuals, lanes);
      kernels.update(run, residuals, accumulators, sums + 16);
      if (entries[i + 1]?.chunk === entry.chunk) continue;
      kernels.flush(columns, accumulators, sums + 16);
      const scalars = this.#f64(lanes, 2 * LANES);
      this.#f64(sums, 2).set([foldLanes(scalars), foldLanes(scalars, LANES)]);
      sums += (2 + columns) * 8;
    }
  };

  /** A panel's sample weights, those outside [begin, end) replaced by 0: their address. */
  #masked({ v, begin, end }: Entry, to: number): number {
    const rows = panelRows(this.#kernels.dtype);
    this.#f64(to, rows).set(this.#f64(v, rows).map((each, row) => (row >= begin && row < end ? each : 0)));
    return to;
  }

  readonly descendList: Kernels['descendList'] = (
    loss,
    listed,
    columns,
    blockColumns,
    w,
    at,
    mean,
    l2,
    intercept,
    scratch,
    accumulators,
    out,
  ) => {
    const { dtype, memory } = this.#kernels;
    const weights = dtype === 'f32' ? new Float32Array(memory.buffer, w, columns) : this.#f64(w, columns);
    const coordinates = this.#f64(at, columns + 1);
    const means = this.#f64(mean, columns + 1);
    const steps = this.#f64(listed.steps, listed.count * STEP_WORDS);
    const counts = new Uint32Array(memory.buffer, listed.steps, listed.count * STEP_WORDS * 2);
    let { list } = listed;
    for (let i = 0; i < listed.count; i += 1) {
      const word = (field: keyof typeof STEP): number => steps[i * STEP_WORDS + STEP[field]] as number;
      const count = counts[2 * (i * STEP_WORDS + STEP.entries)] as number;
      weights.set(coordinates.subarray(0, columns));
      this.gradientList(loss, list, count, columns, blockColumns, w, coordinates[columns] as number, scratch, accumulators, out);
      this.#addChunks([...new Set(this.#entries(list, count).map(({ chunk }) => chunk))], out, 2 + columns);
      const sums = this.#f64(out, 2 + columns);
      for (let j = 0; j < columns; j += 1) {
        const wj = coordinates[j] as number;
        coordinates[j] = wj - word('rate') * ((sums[2 + j] as number) / word('divisor') + l2 * wj);
      }
      if (intercept) coordinates[columns] = (coordinates[columns] as number) - word('rate') * ((sums[1] as number) / word('divisor'));
      if (word('share') !== 0)
        for (let j = 0; j <= columns; j += 1)
          means[j] = (means[j] as number) + ((coordinates[j] as number) - (means[j] as number)) * word('share');
      list += count * LIST_WORDS * 4;
    }
  };

  /** The tree over chunks, level by level, added into the first vector. */
  #addChunks(chunks: readonly number[], out: number, length: number): void {
    let nodes = chunks.map((index, slot) => ({ index, at: out + slot * length * 8 }));
    while (nodes.length > 1) {
      const above: typeof nodes = [];
      for (const { index, at } of nodes) {
        const left = above[above.length - 1];
        if (left?.index === Math.floor(index / 2)) this.addSums(left.at, at, length);
        else above.push({ index: Math.floor(index / 2), at });
      }
      nodes = above;
    }
  }

  addSums(left: number, right: number, count: number): void {
    const l = this.#f64(left, count);
    const r = this.#f64(right, count);
    for (let i = 0; i < count; i += 1) l[i] = (l[i] as number) + (r[i] as number);
  }
}
