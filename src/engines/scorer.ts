import { Scratch } from '../data/scratch.ts';
import type { Kernels } from '../kernels/kernels.ts';
import { CACHE_LINE_BYTES, type Layout, panelRows } from '../partition/layout.ts';
import type { Vector } from '../update/pass.ts';
import { outputOf, outputsOf } from '../update/vectors.ts';
import { kernelsFor } from './kernels.ts';

/** x·w of rows in one memory, of every output of the weights, in the order of training's own dots: a prediction has the bits that training saw. */
export class Scorer {
  readonly #layout: Pick<Layout, 'dtype' | 'columns' | 'blockColumns'>;
  readonly #kernels: Kernels;
  readonly #scratch: Scratch;
  /** Of each output. */
  readonly #weights: readonly number[];

  constructor(
    memory: WebAssembly.Memory,
    layout: Pick<Layout, 'dtype' | 'columns' | 'blockColumns'>,
    vector: Vector,
    kernels: 'wasm' | 'reference',
  ) {
    this.#layout = layout;
    this.#kernels = kernelsFor(kernels, layout.dtype)(memory);
    this.#scratch = new Scratch(memory);
    this.#weights = Array.from({ length: outputsOf(vector) }, (_, output) => {
      const at = this.#scratch.at(`weights ${output}`, layout.columns * 8 + CACHE_LINE_BYTES);
      const { weights } = outputOf(vector, output);
      if (layout.dtype === 'f32') new Float32Array(memory.buffer, at, weights.length).set(weights);
      else this.#scratch.f64(at, weights.length).set(weights);
      return at;
    });
  }

  /** Dots of `rows` rows at address x (panels) with the weights of an output; a view that holds until the next call. */
  score(x: number, rows: number, output = 0): Float32Array | Float64Array {
    const { dtype, columns, blockColumns } = this.#layout;
    const panels = Math.ceil(rows / panelRows(dtype));
    const out = this.#scratch.at('dots', panels * CACHE_LINE_BYTES);
    const run = { x, panelStride: columns * CACHE_LINE_BYTES, panels, columns, blockColumns, firstPanel: 0 };
    this.#kernels.dots(run, this.#weights[output] as number, out);
    const { buffer } = this.#scratch.memory;
    return dtype === 'f32' ? new Float32Array(buffer, out, rows) : new Float64Array(buffer, out, rows);
  }
}
