import { ROW_LOSSES } from '../../src/kernels/losses.ts';
import { type Dtype, type Layout, layoutOf, panelRows, panelsOf } from '../../src/partition/layout.ts';
import type { Optimizer, Outcome, Problem } from '../../src/update/optimizer.ts';
import type { CurvatureSums, GradientSums, GramSums, PanelSample, Pass, Sums, TotalsSums, Vector } from '../../src/update/pass.ts';

/**
 * A plain evaluator over a dense matrix in memory: the optimizers' test bench. In f32 it rounds what the kernels round (x, weights,
 * dots, r, column sums within 256 rows); the rest is in plain row order, not the contract's.
 */
export interface DenseData {
  readonly rows: number;
  readonly columns: number;
  /** Row by row. */
  readonly x: Float64Array;
  readonly y: Float64Array;
  readonly v?: Float64Array;
  readonly offset?: Float64Array;
}

export interface ProblemOptions {
  readonly loss: 'squared' | 'logistic';
  readonly dtype?: Dtype;
  readonly l2?: number;
  readonly intercept?: boolean;
  readonly indicators?: Uint8Array;
  readonly start?: 'null' | 'zero';
  readonly blockColumns?: number;
}

const PANEL_ROWS = 16;
const GROUP_ROWS = 256;

export class DenseEvaluator {
  readonly problem: Problem;
  readonly #x: (Float32Array | Float64Array)[];
  readonly #y: Float64Array;
  readonly #v: Float64Array;
  readonly #offset: Float64Array;
  readonly #layout: Layout;
  readonly #T: Float32ArrayConstructor | Float64ArrayConstructor;
  readonly #loss: (typeof ROW_LOSSES)['squared'];

  constructor(data: DenseData, options: ProblemOptions) {
    const { rows, columns } = data;
    const dtype = options.dtype ?? 'f64';
    this.#layout = layoutOf({ dtype, rows, columns, blockColumns: options.blockColumns });
    this.#T = dtype === 'f32' ? Float32Array : Float64Array;
    this.#x = Array.from({ length: columns }, (_, j) =>
      this.#rounded(Float64Array.from({ length: rows }, (_, i) => data.x[i * columns + j])),
    );
    this.#y = data.y;
    this.#v = data.v ?? new Float64Array(rows).fill(1);
    this.#offset = data.offset ?? new Float64Array(rows);
    this.#loss = ROW_LOSSES[options.loss];
    this.problem = this.#problemOf(options);
  }

  #problemOf(options: ProblemOptions): Problem {
    const { columns } = this.#layout;
    const totals = this.#totals(undefined);
    const intercept = options.intercept ?? true;
    const columnMeans = totals.columns.map((sum) => sum / totals.v);
    const columnVariances = Float64Array.from({ length: columns }, (_, j) => {
      let sum = 0;
      this.#x[j].forEach((value, i) => {
        sum += this.#v[i] * (value - columnMeans[j]) ** 2;
      });
      return sum / totals.v;
    });
    const mean = totals.vy / totals.v;
    const b = options.loss === 'squared' ? mean - totals.vOffset / totals.v : Math.log(mean / (1 - mean));
    const nullModel: Vector = { weights: new Float64Array(columns), intercept: intercept ? b : 0 };
    return {
      layout: this.#layout,
      loss: options.loss,
      quadratic: options.loss === 'squared',
      curvatureBound: options.loss === 'squared' ? 1 : 0.25,
      weightSum: totals.v,
      l2: options.l2 ?? 1 / totals.v,
      intercept,
      columnMeans,
      columnVariances,
      indicators: options.indicators ?? new Uint8Array(columns),
      nullModel,
      start: options.start === 'zero' ? { weights: new Float64Array(columns), intercept: 0 } : nullModel,
    };
  }

  evaluate(pass: Pass): Sums {
    switch (pass.kind) {
      case 'gradient':
        return { kind: 'gradient', sums: pass.at.map((at) => this.#gradient(at)) };
      case 'loss':
        return { kind: 'loss', sums: pass.at.map((at) => this.#gradient(at).loss) };
      case 'lossAlong':
        return { kind: 'lossAlong', sums: pass.steps.map((t) => this.#along(pass.at, pass.direction, t)) };
      case 'curvature':
        return { kind: 'curvature', sums: this.#curvature(pass.at, pass.direction) };
      case 'totals':
        return { kind: 'totals', sums: this.#totals(typeof pass.set === 'string' ? undefined : pass.set) };
      case 'gram':
        return { kind: 'gram', sums: this.#gram(pass) };
    }
  }

  /** Rows of the sampled panels, ascending; all without a sample. */
  #rows(sample: PanelSample | undefined): Uint32Array {
    const { rows, dtype } = this.#layout;
    if (sample === undefined) return Uint32Array.from({ length: rows }, (_, i) => i);
    const panels = panelsOf(this.#layout);
    const P = panelRows(dtype);
    const list: number[] = [];
    for (let i = 0; i < sample.count; i += 1) {
      const first = Math.floor((i * panels) / sample.count) * P;
      for (let row = first; row < Math.min(rows, first + P); row += 1) list.push(row);
    }
    return Uint32Array.from(list);
  }

  #rounded(values: Float64Array): Float32Array | Float64Array {
    return new this.#T(values);
  }

  #dots(w: Float64Array): Float32Array | Float64Array {
    const s = new this.#T(this.#layout.rows);
    const rounded = this.#rounded(w);
    for (const [j, x] of this.#x.entries()) addProducts(s, x, rounded[j]);
    return s;
  }

  #columnSums(r: Float32Array | Float64Array): Float64Array {
    return Float64Array.from(this.#x, (x) => sumOfProducts(x, r));
  }

  #gradient(at: Vector): GradientSums {
    const s = this.#dots(at.weights);
    const r = new this.#T(s.length);
    let loss = 0;
    let intercept = 0;
    for (let i = 0; i < s.length; i += 1) {
      if (this.#v[i] === 0) continue;
      const z = s[i] + this.#offset[i] + at.intercept;
      const d = this.#v[i] * this.#loss.derivative(z, this.#y[i]);
      loss += this.#v[i] * this.#loss.loss(z, this.#y[i]);
      intercept += d;
      r[i] = d;
    }
    return { loss, intercept, columns: this.#columnSums(r) };
  }

  #along(at: Vector, direction: Vector, t: number): { loss: number; slope: number } {
    const s = this.#dots(at.weights);
    const q = this.#dots(direction.weights);
    let loss = 0;
    let slope = 0;
    for (let i = 0; i < s.length; i += 1) {
      const along = q[i] + direction.intercept;
      const z = s[i] + this.#offset[i] + at.intercept + t * along;
      loss += this.#v[i] * this.#loss.loss(z, this.#y[i]);
      slope += this.#v[i] * this.#loss.derivative(z, this.#y[i]) * along;
    }
    return { loss, slope };
  }

  #curvature(at: Vector, direction: Vector): CurvatureSums {
    const s = this.#dots(at.weights);
    const q = this.#dots(direction.weights);
    const r = new this.#T(s.length);
    let quadratic = 0;
    let intercept = 0;
    for (let i = 0; i < s.length; i += 1) {
      const along = q[i] + direction.intercept;
      const e = this.#v[i] * this.#loss.curvature(s[i] + this.#offset[i] + at.intercept, this.#y[i]) * along;
      quadratic += e * along;
      intercept += e;
      r[i] = e;
    }
    return { quadratic, intercept, columns: this.#columnSums(r) };
  }

  #totals(sample: PanelSample | undefined): TotalsSums {
    const rows = this.#rows(sample);
    let v = 0;
    let vy = 0;
    let vOffset = 0;
    for (const i of rows) {
      v += this.#v[i];
      vy += this.#v[i] * this.#y[i];
      vOffset += this.#v[i] * this.#offset[i];
    }
    const r = this.#rounded(Float64Array.from(rows, (i) => this.#v[i]));
    return {
      v,
      vy,
      vOffset,
      columns: Float64Array.from(this.#x, (x) => sumOfProducts(this.#rounded(Float64Array.from(rows, (i) => x[i])), r)),
    };
  }

  #gram(pass: Extract<Pass, { kind: 'gram' }>): GramSums {
    const rows = this.#rows(pass.sample);
    const s = this.#dots(pass.at.weights);
    const c = new Float64Array(rows.length);
    let weight = 0;
    let sumC = 0;
    rows.forEach((i, k) => {
      let u = 1;
      pass.tilt.forEach((t, j) => {
        if (t !== 1 && this.#x[j][i] !== 0) u *= t;
      });
      const v = this.#v[i] * u;
      c[k] = v * this.#loss.curvature(s[i] + this.#offset[i] + pass.at.intercept, this.#y[i]);
      weight += v;
      sumC += c[k];
    });
    const list = pass.columns === undefined ? this.#x : Array.from(pass.columns, (j) => this.#x[j]);
    const x = list.map((column) => this.#rounded(Float64Array.from(rows, (i) => column[i])));
    const lower = new Float64Array((x.length * (x.length + 1)) / 2);
    const columns = new Float64Array(x.length);
    const rounded = this.#rounded(c);
    const r = new this.#T(rows.length);
    for (let a = 0, at = 0; a < x.length; a += 1) {
      columns[a] = sumOfProducts(x[a], rounded);
      for (let k = 0; k < r.length; k += 1) r[k] = c[k] * x[a][k];
      for (let b = 0; b <= a; b += 1, at += 1) lower[at] = sumOfProducts(x[b], r);
    }
    return { weight, c: sumC, columns, lower };
  }
}

function addProducts(s: Float32Array | Float64Array, x: Float32Array | Float64Array, w: number): void {
  if (s instanceof Float32Array) for (let i = 0; i < s.length; i += 1) s[i] += Math.fround(w * x[i]);
  else for (let i = 0; i < s.length; i += 1) s[i] += w * x[i];
}

/** Σ x_i·r_i: f64, or in f32 as the kernels do it, 16 rows a time in four lanes, and in f64 over groups of 256 rows. */
function sumOfProducts(x: Float32Array | Float64Array, r: Float32Array | Float64Array): number {
  let sum = 0;
  if (x instanceof Float64Array) {
    for (let i = 0; i < x.length; i += 1) sum += x[i] * r[i];
    return sum;
  }
  const product = (i: number): number => (i < x.length ? Math.fround(x[i] * r[i]) : 0);
  const lanes = new Float32Array(4);
  for (let begin = 0; begin < x.length; begin += GROUP_ROWS) {
    lanes.fill(0);
    for (let panel = begin; panel < Math.min(x.length, begin + GROUP_ROWS); panel += PANEL_ROWS)
      for (let l = panel; l < panel + 4; l += 1)
        lanes[l - panel] += Math.fround(Math.fround(product(l) + product(l + 4)) + Math.fround(product(l + 8) + product(l + 12)));
    sum += Math.fround(Math.fround(lanes[0] + lanes[1]) + Math.fround(lanes[2] + lanes[3]));
  }
  return sum;
}

export interface Run {
  readonly outcome: Outcome;
  readonly passes: number;
  readonly iterations: number;
}

/** Trains to the end, or to a limit of passes. */
export function train<State>(optimizer: Optimizer<State>, evaluator: DenseEvaluator, maxPasses = 2000): Run {
  let state = optimizer.init(evaluator.problem);
  for (;;) {
    const next = optimizer.next(state);
    const { passes, iteration } = optimizer.progress(state);
    if (next.kind === 'done') return { outcome: optimizer.outcome(state, next.reason), passes, iterations: iteration };
    if (passes >= maxPasses) return { outcome: optimizer.outcome(state, 'max passes'), passes, iterations: iteration };
    state = optimizer.absorb(state, evaluator.evaluate(next.pass));
  }
}
