import { ACCUMULATOR_BYTES, LANES, type Loss, type PanelRun } from '../kernels/kernels.ts';
import { bytesPerValue, CACHE_LINE_BYTES, groupOfPanel, type Layout, panelRows } from '../partition/layout.ts';
import type { Pass, Vector } from '../update/pass.ts';
import { outputOf } from '../update/vectors.ts';
import type { GramPiece, GramPlan, GramRows } from './gram-plan.ts';
import type { Gathered } from './gram-rows.ts';
import { foldScalars } from './pass-kernels.ts';
import type { Workplace } from './workplace.ts';

export type GramPass = Extract<Pass, { kind: 'gram' }>;

/** What is made of every chunk. */
export interface GramTask {
  readonly pass: GramPass;
  /** Columns whose tilt is not 1. */
  readonly tilted: readonly number[];
  readonly plan: GramPlan;
  readonly piece: GramPiece;
}

/** Row scalars of `totals`; Σv·u is the first of them. */
const TOTALS = 3;
/** Bytes of the Gram matrix that one kernel call adds to: they stay in cache. */
const TILE_BYTES = 512 * 1024;

/** The sums of one chunk's sampled panels: a piece of them (gram-plan.ts). */
export class GramChunk {
  readonly #loss: Loss;
  /** Gram matrices: one, or one per class. */
  readonly #outputs: number;
  readonly #workplaces: readonly Workplace[];

  constructor({ loss, classes }: { readonly loss: Loss; readonly classes: number }, workplaces: readonly Workplace[]) {
    this.#loss = loss;
    this.#outputs = classes;
    this.#workplaces = workplaces;
  }

  /** Writes the piece's sums into `values` (zeros where the head is). */
  sums({ pass, tilted, plan, piece }: GramTask, layout: Layout, at: Gathered, values: Float64Array): Float64Array {
    const { kernels, scratch } = this.#workplaces[at.segment] as Workplace;
    const panels = at.panels.length;
    const rows = panels * panelRows(layout.dtype);
    const { columns } = layout;
    const run = { x: at.x, panelStride: columns * CACHE_LINE_BYTES, panels, columns, blockColumns: layout.blockColumns, firstPanel: 0 };
    const rowBytes = panels * CACHE_LINE_BYTES;
    const scratchRows = scratch.at('rows', 3 * rowBytes);
    const r = scratchRows + rowBytes;
    const curvatures = Array.from({ length: this.#outputs }, (_, k) => scratch.at(`curvature rows ${k}`, rows * 8));
    const { scalars } = plan;
    const lanes = scratch.at('lanes', (TOTALS + scalars) * LANES * 8);
    scratch.f64(lanes, (TOTALS + scalars) * LANES).fill(0);

    this.#tilt(layout, at, pass.tilt, tilted);
    // Σv·u is the first row scalar of `totals`; Σc comes in the place of its second, and of those after.
    kernels.totals(panels, at, r, lanes);
    scratch.f64(lanes + LANES * 8, (TOTALS - 1) * LANES).fill(0);
    if (this.#loss === 'softmax') this.#classCurvatures(layout, run, pass.at, at, curvatures, lanes + LANES * 8);
    else {
      if (this.#loss !== 'squared') kernels.dots(run, this.#weights(layout, at.segment, pass.at.weights), scratchRows);
      kernels.curvatureRows(this.#loss, panels, scratchRows, pass.at.intercept, at, curvatures[0] as number, lanes + LANES * 8);
    }
    const chosen = pass.columns === undefined ? run : this.#choose(layout, at, pass.columns);
    if (piece.hasHead) {
      foldScalars(scratch.f64(lanes, scalars * LANES), scalars, values);
      const residuals = layout.dtype === 'f32' ? new Float32Array(scratch.memory.buffer, r, rows) : scratch.f64(r, rows);
      for (const [k, c] of curvatures.entries()) {
        residuals.set(scratch.f64(c, rows));
        this.#columnSums(layout, at, chosen, r, values.subarray(scalars + k * chosen.columns));
      }
    }
    for (const part of piece.rows) this.#lower(at, chosen, curvatures[part.output] as number, part, values);
    return values;
  }

  /** Softmax: the curvature of every class at every row. */
  #classCurvatures(layout: Layout, run: PanelRun, vector: Vector, at: Gathered, curvatures: readonly number[], lanes: number): void {
    const { kernels, scratch } = this.#workplaces[at.segment] as Workplace;
    const outputs = curvatures.map((_, k) => outputOf(vector, k));
    const table = (name: string, addresses: readonly number[]): number => {
      const to = scratch.at(name, addresses.length * 4);
      new Uint32Array(scratch.memory.buffer, to, addresses.length).set(addresses);
      return to;
    };
    const dots = outputs.map(({ weights }, k) => {
      const to = scratch.at(`gram dots ${k}`, run.panels * CACHE_LINE_BYTES);
      kernels.dots(run, this.#weights(layout, at.segment, weights), to);
      return to;
    });
    const b = scratch.at('gram intercepts', outputs.length * 8);
    scratch.f64(b, outputs.length).set(outputs.map(({ intercept }) => intercept));
    const pairs = scratch.at('gram pairs', outputs.length * 16);
    const tables = { dots: table('gram dots', dots), c: table('gram curvatures', curvatures) };
    kernels.softmax.curvatureRows(outputs.length, run.panels, tables.dots, b, at, tables.c, pairs, lanes);
  }

  /** The listed columns of the gathered panels, packed side by side. */
  #choose(layout: Layout, at: Gathered, columns: Uint32Array): PanelRun {
    const { scratch } = this.#workplaces[at.segment] as Workplace;
    const stride = columns.length * CACHE_LINE_BYTES;
    const to = scratch.at('chosen', at.panels.length * stride + CACHE_LINE_BYTES);
    const bytes = new Uint8Array(scratch.memory.buffer);
    for (let panel = 0; panel < at.panels.length; panel += 1) {
      const from = at.x + panel * layout.columns * CACHE_LINE_BYTES;
      for (const [k, j] of columns.entries())
        bytes.copyWithin(to + panel * stride + k * CACHE_LINE_BYTES, from + j * CACHE_LINE_BYTES, from + (j + 1) * CACHE_LINE_BYTES);
    }
    return {
      x: to,
      panelStride: stride,
      panels: at.panels.length,
      columns: columns.length,
      blockColumns: layout.blockColumns,
      firstPanel: 0,
    };
  }

  #weights(layout: Layout, segment: number, weights: Float64Array): number {
    const { scratch } = this.#workplaces[segment] as Workplace;
    const at = scratch.at('gram weights', weights.length * bytesPerValue(layout.dtype) + CACHE_LINE_BYTES);
    const view = layout.dtype === 'f32' ? new Float32Array(scratch.memory.buffer, at, weights.length) : scratch.f64(at, weights.length);
    view.set(weights);
    return at;
  }

  /** v ← v·u, u = Π tilt_j over the tilted columns with x_ij ≠ 0, columns ascending (docs/numerics.md §6). */
  #tilt(layout: Layout, at: Gathered, tilt: Float64Array, tilted: readonly number[]): void {
    if (tilted.length === 0) return;
    const P = panelRows(layout.dtype);
    const { scratch } = this.#workplaces[at.segment] as Workplace;
    const size = at.panels.length * layout.columns * P;
    const x = layout.dtype === 'f32' ? new Float32Array(scratch.memory.buffer, at.x, size) : scratch.f64(at.x, size);
    const v = scratch.f64(at.v, at.panels.length * P);
    const u = new Float64Array(P);
    for (let panel = 0; panel < at.panels.length; panel += 1) {
      u.fill(1);
      for (const j of tilted) {
        const column = (panel * layout.columns + j) * P;
        for (let lane = 0; lane < P; lane += 1) if (x[column + lane] !== 0) u[lane] = (u[lane] as number) * (tilt[j] as number);
      }
      for (let lane = 0; lane < P; lane += 1) v[panel * P + lane] = (v[panel * P + lane] as number) * (u[lane] as number);
    }
  }

  /** Σc·x: column sums with r = T(c), flushed where the group of the sampled panels changes. */
  #columnSums(layout: Layout, at: Gathered, run: PanelRun, r: number, values: Float64Array): void {
    const { kernels, scratch } = this.#workplaces[at.segment] as Workplace;
    const { columns } = run;
    const accumulators = scratch.at('accumulators 0', columns * ACCUMULATOR_BYTES + 64);
    const sums = scratch.at('sums 0', columns * 8 + 64);
    scratch.f64(accumulators, columns * 2).fill(0);
    scratch.f64(sums, columns).fill(0);
    for (const [i, panel] of at.panels.entries()) {
      if (layout.dtype === 'f32' && i > 0 && groupOfPanel(panel) !== groupOfPanel(at.panels[i - 1] as number))
        kernels.flush(columns, accumulators, sums);
      const one = { ...run, x: run.x + i * run.panelStride, panels: 1, firstPanel: panel };
      kernels.update(one, r + i * CACHE_LINE_BYTES, accumulators, sums);
    }
    kernels.flush(columns, accumulators, sums);
    values.set(scratch.f64(sums, columns));
  }

  /** Rows of a lower triangle, some of them at a time. */
  #lower(at: Gathered, run: PanelRun, c: number, part: GramRows, values: Float64Array): void {
    const { kernels, scratch } = this.#workplaces[at.segment] as Workplace;
    const groups = scratch.at('groups', at.panels.length * 4 + 64);
    new Uint32Array(scratch.memory.buffer, groups, at.panels.length).set(at.panels.map(groupOfPanel));
    const kernelScratch = scratch.at('gram scratch', (at.panels.length * CACHE_LINE_BYTES + 64) * 8);
    for (let a = part.begin, target = part.at; a < part.end; ) {
      const first = (a * (a + 1)) / 2;
      let end = a + 1;
      while (end < part.end && ((end + 1) * (end + 2)) / 2 - first <= TILE_BYTES / 8) end += 1;
      const count = (end * (end + 1)) / 2 - first;
      const sums = scratch.at('gram sums', count * 8);
      scratch.f64(sums, count).fill(0);
      kernels.gram(run, c, groups, a, end, kernelScratch, sums);
      values.set(scratch.f64(sums, count), target);
      target += count;
      a = end;
    }
  }
}
