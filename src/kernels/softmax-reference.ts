import { type Dtype, panelRows } from '../partition/layout.ts';
import { LANES, type RowPointers } from './kernels.ts';
import { type RowSoftmax, softmaxLoss, softmaxOf } from './losses.ts';
import type { SoftmaxKernels } from './softmax.ts';

type Values = Float32Array<ArrayBufferLike> | Float64Array<ArrayBufferLike>;

/** One row: z of every class, and, where there is a direction, q. */
interface Row {
  readonly z: Float64Array;
  readonly q: Float64Array;
  readonly y: number;
  readonly v: number;
}

/** The softmax kernels in plain TypeScript, slowly: what the SIMD kernels must equal to the bit. */
export class ReferenceSoftmax implements SoftmaxKernels {
  readonly #memory: WebAssembly.Memory;
  readonly #dtype: Dtype;

  constructor(memory: WebAssembly.Memory, dtype: Dtype) {
    this.#memory = memory;
    this.#dtype = dtype;
  }

  #f64(at: number, length: number): Float64Array<ArrayBufferLike> {
    return new Float64Array(this.#memory.buffer, at, length);
  }

  /** The arrays of T that a table of addresses names. */
  #arrays(table: number, classes: number, length: number): Values[] {
    const { buffer } = this.#memory;
    return Array.from(new Uint32Array(buffer, table, classes), (at) =>
      this.#dtype === 'f32' ? new Float32Array(buffer, at, length) : new Float64Array(buffer, at, length),
    );
  }

  #rows(
    classes: number,
    panels: number,
    at: { dots: number; b: number; qDots: number; pB: number; rows: RowPointers },
    visit: (i: number, row: Row | undefined) => void,
  ): void {
    const count = panels * panelRows(this.#dtype);
    const dots = this.#arrays(at.dots, classes, count);
    const b = this.#f64(at.b, classes);
    const qDots = at.qDots === 0 ? [] : this.#arrays(at.qDots, classes, count);
    const pB = at.qDots === 0 ? new Float64Array(0) : this.#f64(at.pB, classes);
    const v = this.#f64(at.rows.v, count);
    const y = this.#f64(at.rows.y, count);
    const offset = at.rows.offset === 0 ? undefined : this.#f64(at.rows.offset, count);
    for (let i = 0; i < count; i += 1) {
      if (v[i] === 0) visit(i, undefined);
      else {
        const shifted = (dot: number): number => (offset === undefined ? dot : dot + (offset[i] as number));
        const z = Float64Array.from(dots, (values, c) => shifted(values[i] as number) + (b[c] as number));
        const q = Float64Array.from(qDots, (values, c) => (values[i] as number) + (pB[c] as number));
        visit(i, { z, q, y: y[i] as number, v: v[i] as number });
      }
    }
  }

  derivative(classes: number, panels: number, dots: number, b: number, rows: RowPointers, r: number, _: number, lanes: number): void {
    const out = this.#arrays(r, classes, panels * panelRows(this.#dtype));
    const scalars = this.#f64(lanes, (1 + classes) * LANES);
    this.#rows(classes, panels, { dots, b, qDots: 0, pB: 0, rows }, (i, row) => {
      const softmax = row === undefined ? undefined : softmaxOf(row.z);
      add(scalars, 0, i, row === undefined ? 0 : row.v * softmaxLoss(softmax as RowSoftmax, ownOf(row)));
      for (let c = 0; c < classes; c += 1) {
        const d = row === undefined ? 0 : row.v * derivativeOf(softmax as RowSoftmax, row.y, c);
        (out[c] as Values)[i] = d;
        add(scalars, 1 + c, i, d);
      }
    });
  }

  readonly curvature: SoftmaxKernels['curvature'] = (classes, panels, dots, b, qDots, pB, rows, r, _, lanes) => {
    const out = this.#arrays(r, classes, panels * panelRows(this.#dtype));
    const scalars = this.#f64(lanes, (classes + 1) * LANES);
    this.#rows(classes, panels, { dots, b, qDots, pB, rows }, (i, row) => {
      const s = row === undefined ? new Float64Array(classes) : sharesOf(softmaxOf(row.z));
      const q = row?.q ?? new Float64Array(classes);
      let mean = 0;
      for (let c = 0; c < classes; c += 1) mean += (s[c] as number) * (q[c] as number);
      let quadratic = 0;
      for (let c = 0; c < classes; c += 1) {
        const e = row === undefined ? 0 : row.v * (s[c] as number) * ((q[c] as number) - mean);
        (out[c] as Values)[i] = e;
        add(scalars, c, i, e);
        quadratic += e * (q[c] as number);
      }
      add(scalars, classes, i, quadratic);
    });
  };

  readonly lossAlong: SoftmaxKernels['lossAlong'] = (classes, panels, dots, b, qDots, pB, rows, steps, count, _, lanes) => {
    const ts = this.#f64(steps, count);
    const scalars = this.#f64(lanes, count * 2 * LANES);
    this.#rows(classes, panels, { dots, b, qDots, pB, rows }, (i, row) => {
      for (let s = 0; s < count; s += 1) {
        if (row === undefined) {
          add(scalars, 2 * s, i, 0);
          add(scalars, 2 * s + 1, i, 0);
          continue;
        }
        const z = row.z.map((value, c) => value + (ts[s] as number) * (row.q[c] as number));
        const softmax = softmaxOf(z);
        let slope = 0;
        for (let c = 0; c < classes; c += 1) slope += row.v * derivativeOf(softmax, row.y, c) * (row.q[c] as number);
        add(scalars, 2 * s, i, row.v * softmaxLoss(softmax, ownOf({ z, y: row.y })));
        add(scalars, 2 * s + 1, i, slope);
      }
    });
  };

  curvatureRows(classes: number, panels: number, dots: number, b: number, rows: RowPointers, c: number, _: number, lanes: number): void {
    const count = panels * panelRows(this.#dtype);
    const out = Array.from(new Uint32Array(this.#memory.buffer, c, classes), (at) => this.#f64(at, count));
    const scalars = this.#f64(lanes, classes * LANES);
    this.#rows(classes, panels, { dots, b, qDots: 0, pB: 0, rows: { ...rows, y: rows.v } }, (i, row) => {
      const s = row === undefined ? undefined : sharesOf(softmaxOf(row.z));
      for (const [k, values] of out.entries()) {
        const share = s?.[k] ?? 0;
        const value = row === undefined ? 0 : row.v * (share * (1 - share));
        values[i] = value;
        add(scalars, k, i, value);
      }
    });
  }

  totals(classes: number, panels: number, rows: RowPointers, lanes: number): void {
    const count = panels * panelRows(this.#dtype);
    const y = this.#f64(rows.y, count);
    const v = this.#f64(rows.v, count);
    const scalars = this.#f64(lanes, classes * LANES);
    for (let i = 0; i < count; i += 1) for (let c = 0; c < classes; c += 1) add(scalars, c, i, y[i] === c ? (v[i] as number) : 0);
  }
}

/** z of the row's own class; +0 where y is no class. */
function ownOf({ z, y }: Pick<Row, 'z' | 'y'>): number {
  return z[y] ?? 0;
}

/** e_c/S − [c = y] */
function derivativeOf({ e, sum }: RowSoftmax, y: number, c: number): number {
  return (e[c] as number) / sum - (c === y ? 1 : 0);
}

function sharesOf({ e, sum }: RowSoftmax): Float64Array {
  return e.map((value) => value / sum);
}

/** Row scalar `scalar` of row i goes into lane i mod 8. */
function add(scalars: Float64Array<ArrayBufferLike>, scalar: number, i: number, value: number): void {
  const lane = scalar * LANES + (i % LANES);
  scalars[lane] = (scalars[lane] as number) + value;
}
