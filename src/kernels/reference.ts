import { type Dtype, GROUP_PANELS, panelRows } from '../partition/layout.ts';
import { coverOf } from '../partition/tree.ts';
import type { KernelLoss, Kernels, PanelRun, RowPointers } from './kernels.ts';
import { LANES } from './kernels.ts';
import { ROW_LOSSES, type RowLoss } from './losses.ts';
import { ReferenceLists } from './reference-lists.ts';
import type { SoftmaxKernels } from './softmax.ts';
import { ReferenceSoftmax } from './softmax-reference.ts';

/**
 * The numerical contract (docs/numerics.md §3, §4) word for word and slowly, in plain TypeScript: the oracle of the SIMD
 * kernels. Each f32 operation is followed by Math.fround; that is exact, since f64 has more than twice the digits.
 */

type Values = Float32Array<ArrayBufferLike> | Float64Array<ArrayBufferLike>;

/** One row as the row kernels see it. */
interface Row {
  readonly z: number;
  readonly y: number;
  readonly v: number;
}

class ReferenceKernels implements Kernels {
  readonly dtype: Dtype;
  readonly memory: WebAssembly.Memory;
  readonly softmax: SoftmaxKernels;
  readonly #lists: ReferenceLists;
  readonly #P: number;
  readonly #bytes: number;
  /** Rounds to T. */
  readonly #T: (value: number) => number;

  constructor(memory: WebAssembly.Memory, dtype: Dtype) {
    this.dtype = dtype;
    this.memory = memory;
    this.softmax = new ReferenceSoftmax(memory, dtype);
    this.#lists = new ReferenceLists(this);
    this.#P = panelRows(dtype);
    this.#bytes = dtype === 'f32' ? 4 : 8;
    this.#T = dtype === 'f32' ? Math.fround : (value) => value;
  }

  #t(at: number, length: number): Values {
    return this.dtype === 'f32' ? new Float32Array(this.memory.buffer, at, length) : new Float64Array(this.memory.buffer, at, length);
  }

  #f64(at: number, length: number): Float64Array<ArrayBufferLike> {
    return new Float64Array(this.memory.buffer, at, length);
  }

  #panel(run: PanelRun, panel: number): Values {
    return this.#t(run.x + panel * run.panelStride, run.columns * this.#P);
  }

  dots(run: PanelRun, w: number, out: number): void {
    const weights = this.#t(w, run.columns);
    const dots = this.#t(out, run.panels * this.#P);
    for (let panel = 0; panel < run.panels; panel += 1) {
      const x = this.#panel(run, panel);
      for (let lane = 0; lane < this.#P; lane += 1) dots[panel * this.#P + lane] = this.#dot(x, lane, weights, run.blockColumns);
    }
  }

  /** Sequential in a block, blocks in the tree: node(level, k) over block numbers. */
  #dot(x: Values, lane: number, w: Values, blockColumns: number): number {
    const T = this.#T;
    const blocks = Math.ceil(w.length / blockColumns);
    const block = (k: number): number => {
      let s = 0;
      for (let j = k * blockColumns; j < Math.min((k + 1) * blockColumns, w.length); j += 1)
        s = T(s + T((w[j] as number) * (x[j * this.#P + lane] as number)));
      return s;
    };
    const node = (level: number, k: number): number => {
      if (level === 0) return block(k);
      const left = node(level - 1, 2 * k);
      return (2 * k + 1) * 2 ** (level - 1) >= blocks ? left : T(left + node(level - 1, 2 * k + 1));
    };
    const root = coverOf(0, blocks, blocks)[0];
    return root === undefined ? 0 : node(root.level, root.index);
  }

  addDots(left: number, right: number, count: number): void {
    const l = this.#t(left, count);
    const r = this.#t(right, count);
    for (let i = 0; i < count; i += 1) l[i] = this.#T((l[i] as number) + (r[i] as number));
  }

  /** Calls `visit` for every row; rows with v = 0 are told so, and must give +0 by selection. */
  #rows(panels: number, dots: number, b: number, rows: RowPointers, visit: (i: number, row: Row | undefined) => void): void {
    const count = panels * this.#P;
    const s = this.#t(dots, count);
    const y = this.#f64(rows.y, count);
    const v = this.#f64(rows.v, count);
    const offset = rows.offset === 0 ? undefined : this.#f64(rows.offset, count);
    for (let i = 0; i < count; i += 1) {
      const z = (offset === undefined ? (s[i] as number) : (s[i] as number) + (offset[i] as number)) + b;
      visit(i, v[i] === 0 ? undefined : { z, y: y[i] as number, v: v[i] as number });
    }
  }

  derivative(loss: KernelLoss, panels: number, dots: number, b: number, rows: RowPointers, r: number, lanes: number): void {
    const { loss: lossOf, derivative } = ROW_LOSSES[loss];
    const out = this.#t(r, panels * this.#P);
    const scalars = this.#f64(lanes, 2 * LANES);
    this.#rows(panels, dots, b, rows, (i, row) => {
      const d = row === undefined ? 0 : row.v * derivative(row.z, row.y);
      add(scalars, 0, i, row === undefined ? 0 : row.v * lossOf(row.z, row.y));
      add(scalars, 1, i, d);
      out[i] = this.#T(d);
    });
  }

  update(run: PanelRun, r: number, accumulators: number, sums: number): void {
    const P = this.#P;
    const residuals = this.#t(r, run.panels * P);
    for (let panel = 0; panel < run.panels; panel += 1) {
      const x = this.#panel(run, panel);
      const rs = residuals.subarray(panel * P, (panel + 1) * P);
      for (let j = 0; j < run.columns; j += 1) this.#accumulate(x.subarray(j * P, (j + 1) * P), rs, accumulators + j * 16);
      if (this.dtype === 'f32' && (run.firstPanel + panel + 1) % GROUP_PANELS === 0) this.flush(run.columns, accumulators, sums);
    }
  }

  /** One panel of one column into its four (f32) or two (f64) lanes. */
  #accumulate(x: Values, r: Values, accumulator: number): void {
    const T = this.#T;
    const lanes = this.dtype === 'f32' ? 4 : 2;
    const acc = this.#t(accumulator, lanes);
    const product = (i: number): number => T((x[i] as number) * (r[i] as number));
    for (let l = 0; l < lanes; l += 1) {
      const t = T(T(product(l) + product(l + lanes)) + T(product(l + 2 * lanes) + product(l + 3 * lanes)));
      acc[l] = T((acc[l] as number) + t);
    }
  }

  flush(columns: number, accumulators: number, sums: number): void {
    const T = this.#T;
    const lanes = this.dtype === 'f32' ? 4 : 2;
    const acc = this.#t(accumulators, columns * lanes);
    const sum = this.#f64(sums, columns);
    for (let j = 0; j < columns; j += 1) {
      const a = (l: number): number => acc[j * lanes + l] as number;
      sum[j] = (sum[j] as number) + (lanes === 4 ? T(T(a(0) + a(1)) + T(a(2) + a(3))) : a(0) + a(1));
      acc.fill(0, j * lanes, (j + 1) * lanes);
    }
  }

  readonly gradient: Kernels['gradient'] = (loss, run, w, b, rows, scratch, lanes, accumulators, sums) => {
    const r = scratch + run.panels * this.#P * this.#bytes;
    this.dots(run, w, scratch);
    this.derivative(loss, run.panels, scratch, b, rows, r, lanes);
    this.update(run, r, accumulators, sums);
  };

  gradientList(...args: Parameters<ReferenceLists['gradientList']>): void {
    this.#lists.gradientList(...args);
  }

  descendList(...args: Parameters<ReferenceLists['descendList']>): void {
    this.#lists.descendList(...args);
  }

  addSums(left: number, right: number, count: number): void {
    this.#lists.addSums(left, right, count);
  }

  readonly curvature: Kernels['curvature'] = (loss, panels, zDots, b, qDots, pB, rows, r, lanes) => {
    const rowLoss = ROW_LOSSES[loss];
    const out = this.#t(r, panels * this.#P);
    const direction = this.#t(qDots, panels * this.#P);
    const scalars = this.#f64(lanes, 2 * LANES);
    // The squared loss has c = 1 everywhere: its z is not needed, and zDots may point nowhere.
    this.#rows(panels, loss === 'squared' ? qDots : zDots, b, rows, (i, row) => {
      const q = (direction[i] as number) + pB;
      const e = row === undefined ? 0 : row.v * rowLoss.curvature(row.z, row.y) * q;
      add(scalars, 0, i, e);
      add(scalars, 1, i, row === undefined ? 0 : e * q);
      out[i] = this.#T(e);
    });
  };

  readonly curvatureProduct: Kernels['curvatureProduct'] = (loss, run, w, b, p, pB, rows, scratch, lanes, accumulators, sums) => {
    const bytes = run.panels * this.#P * this.#bytes;
    if (loss !== 'squared') this.dots(run, w, scratch);
    this.dots(run, p, scratch + bytes);
    this.curvature(loss, run.panels, scratch, b, scratch + bytes, pB, rows, scratch + 2 * bytes, lanes);
    this.update(run, scratch + 2 * bytes, accumulators, sums);
  };

  readonly lossAlong: Kernels['lossAlong'] = (loss, panels, zDots, b, qDots, pB, rows, steps, count, lanes) => {
    const rowLoss = ROW_LOSSES[loss];
    const direction = this.#t(qDots, panels * this.#P);
    const ts = this.#f64(steps, count);
    const scalars = this.#f64(lanes, count * 2 * LANES);
    this.#rows(panels, zDots, b, rows, (i, row) => {
      const q = (direction[i] as number) + pB;
      for (let s = 0; s < count; s += 1) {
        const z = row === undefined ? 0 : row.z + (ts[s] as number) * q;
        add(scalars, 2 * s, i, row === undefined ? 0 : row.v * rowLoss.loss(z, row.y));
        add(scalars, 2 * s + 1, i, row === undefined ? 0 : row.v * rowLoss.derivative(z, row.y) * q);
      }
    });
  };

  curvatureRows(loss: KernelLoss, panels: number, zDots: number, b: number, rows: RowPointers, c: number, lanes: number): void {
    const rowLoss: RowLoss = ROW_LOSSES[loss];
    const out = this.#f64(c, panels * this.#P);
    const scalars = this.#f64(lanes, LANES);
    this.#rows(panels, zDots, b, rows, (i, row) => {
      out[i] = row === undefined ? 0 : row.v * rowLoss.curvature(row.z, row.y);
      add(scalars, 0, i, out[i] as number);
    });
  }

  totals(panels: number, rows: RowPointers, r: number, lanes: number): void {
    const count = panels * this.#P;
    const out = this.#t(r, count);
    const y = this.#f64(rows.y, count);
    const v = this.#f64(rows.v, count);
    const offset = rows.offset === 0 ? undefined : this.#f64(rows.offset, count);
    const scalars = this.#f64(lanes, 3 * LANES);
    for (let i = 0; i < count; i += 1) {
      const vi = v[i] as number;
      add(scalars, 0, i, vi);
      add(scalars, 1, i, vi === 0 ? 0 : vi * (y[i] as number));
      add(scalars, 2, i, vi === 0 || offset === undefined ? 0 : vi * (offset[i] as number));
      out[i] = this.#T(vi);
    }
  }

  gram(run: PanelRun, c: number, groups: number, aBegin: number, aEnd: number, _scratch: number, sums: number): void {
    const P = this.#P;
    const curvature = this.#f64(c, run.panels * P);
    const group = new Uint32Array(this.memory.buffer, groups, run.panels);
    const first = (aBegin * (aBegin + 1)) / 2;
    const lanes = new ReferenceKernels(new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true }), this.dtype);
    const sum = lanes.#f64(16, 1);
    for (let a = aBegin; a < aEnd; a += 1) {
      for (let b = 0; b <= a; b += 1) {
        sum[0] = this.#f64(sums + 8 * ((a * (a + 1)) / 2 + b - first), 1)[0] as number;
        for (let panel = 0; panel < run.panels; panel += 1) {
          if (this.dtype === 'f32' && panel > 0 && group[panel] !== group[panel - 1]) lanes.flush(1, 0, 16);
          const x = this.#panel(run, panel);
          const r = x.slice(a * P, (a + 1) * P).map((xa, lane) => this.#T((curvature[panel * P + lane] as number) * xa));
          lanes.#accumulate(x.subarray(b * P, (b + 1) * P), r, 0);
        }
        lanes.flush(1, 0, 16);
        this.#f64(sums + 8 * ((a * (a + 1)) / 2 + b - first), 1)[0] = sum[0];
      }
    }
  }
}

/** Row scalar `scalar` of row i goes into lane i mod 8. */
function add(scalars: Float64Array<ArrayBufferLike>, scalar: number, i: number, value: number): void {
  const lane = scalar * LANES + (i % LANES);
  scalars[lane] = (scalars[lane] as number) + value;
}

export function referenceKernels(memory: WebAssembly.Memory, dtype: Dtype): Kernels {
  return new ReferenceKernels(memory, dtype);
}
