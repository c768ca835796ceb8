import type { Collective, Part } from '../communicate/collective.ts';
import { addressOf, type DataStore, panelStrideOf, type StoredSet } from '../data/store.ts';
import { ACCUMULATOR_BYTES, LANES, type Loss, type PanelRun } from '../kernels/kernels.ts';
import { bytesPerValue, CACHE_LINE_BYTES, columnOfBlock, groupOfPanel, type Layout, panelRows } from '../partition/layout.ts';
import type { Share } from '../partition/plan.ts';
import { sampledPanels } from '../partition/sample.ts';
import type { GramSums, Pass, Vector } from '../update/pass.ts';
import { outputOf } from '../update/vectors.ts';
import { ChunkTree } from './chunk-tree.ts';
import { foldScalars } from './pass-kernels.ts';
import type { Workplace } from './workplace.ts';

type GramPass = Extract<Pass, { kind: 'gram' }>;

/** Row scalars of `totals`; Σv·u is the first of them. */
const TOTALS = 3;
/** Bytes of the Gram matrix that one kernel call adds to: they stay in cache. */
const TILE_BYTES = 512 * 1024;

/** Sampled panels of one chunk, with all columns, where the kernels can read them. */
interface Gathered {
  readonly x: number;
  readonly panels: readonly number[];
  readonly y: number;
  readonly v: number;
  readonly offset: number;
  readonly segment: number;
}

/**
 * The curvature-weighted Gram matrix of a sample. It needs whole rows, so ranks of a worker row (a column split) first hand
 * each other their columns of the sampled panels; then each takes some of the row's chunks. The matrix is reduced over chunks
 * like every other sum.
 */
export class GramCells {
  readonly #store: DataStore;
  readonly #share: Share;
  readonly #loss: Loss;
  /** Gram matrices: one, or one per class. */
  readonly #outputs: number;
  readonly #row: Collective;
  readonly #workplaces: readonly Workplace[];

  constructor(
    store: DataStore,
    share: Share,
    { loss, classes }: { readonly loss: Loss; readonly classes: number },
    row: Collective,
    workplaces: readonly Workplace[],
  ) {
    this.#store = store;
    this.#share = share;
    this.#loss = loss;
    this.#outputs = classes;
    this.#row = row;
    this.#workplaces = workplaces;
  }

  /** Row scalars ahead of the columns: Σv·u, and Σc of every output. */
  get #scalars(): number {
    return 1 + this.#outputs;
  }

  lengthOf(columns: number): number {
    return this.#scalars + this.#outputs * lengthOfOne(columns);
  }

  /** This rank's tree nodes. */
  async compute(pass: GramPass, pause: (() => Promise<void> | undefined) | undefined): Promise<Part[]> {
    const set = this.#store.training;
    const { layout } = set;
    const length = this.lengthOf(pass.columns?.length ?? layout.columns);
    const { chunkBegin, chunkEnd } = this.#share;
    const border = (member: number): number => chunkBegin + Math.floor(((chunkEnd - chunkBegin) * member) / this.#row.size);
    const own = { begin: border(this.#row.rank), end: border(this.#row.rank + 1) };
    const tree = new ChunkTree(own.begin, own.end, layout.chunks, length);
    for (let chunk = chunkBegin; chunk < chunkEnd; chunk += 1) {
      const panels = sampledPanels(layout, pass.sample.count, chunk);
      const mine = chunk >= own.begin && chunk < own.end;
      const x = panels.length === 0 ? 0 : await this.#gather(set, chunk, panels, mine);
      if (!mine) continue;
      tree.push(panels.length === 0 ? undefined : this.#chunk(pass, set, this.#rows(set, chunk, panels, x), tree.take()));
      await pause?.();
    }
    return tree.finish().map(({ node, values }) => ({ node, begin: 0, end: length, values }));
  }

  /** Address of whole sampled panels, one after the other, in the chunk's segment. */
  async #gather(set: StoredSet, chunk: number, panels: readonly number[], mine: boolean): Promise<number> {
    const { layout } = set;
    const place = set.chunks[chunk] as StoredSet['chunks'][number];
    const { scratch } = this.#workplaces[place.segment] as Workplace;
    const stride = layout.columns * CACHE_LINE_BYTES;
    const alone = this.#row.size === 1;
    if (alone && isRun(panels)) return place.x + (panels[0] as number) * stride;
    const { begin, end } = columnsOf(layout, this.#share);
    const from = addressOf(set, place, begin);
    const bytes = new Uint8Array(scratch.memory.buffer, from);
    const width = (end - begin) * CACHE_LINE_BYTES;
    const own = new Uint8Array(panels.length * width);
    for (const [i, panel] of panels.entries()) {
      const at = panel * panelStrideOf(set);
      own.set(bytes.subarray(at, at + width), i * width);
    }
    const pieces = alone ? [own] : await this.#row.allGather(own);
    if (!mine) return 0;
    const x = scratch.at('gathered', panels.length * stride + CACHE_LINE_BYTES);
    const whole = new Uint8Array(scratch.memory.buffer, x, panels.length * stride);
    let column = 0;
    for (const piece of pieces) {
      const pieceWidth = piece.length / panels.length;
      for (let i = 0; i < panels.length; i += 1) whole.set(piece.subarray(i * pieceWidth, (i + 1) * pieceWidth), i * stride + column);
      column += pieceWidth;
    }
    return x;
  }

  /** Row arrays of the sampled panels, copied: their sample weights are about to be tilted. */
  #rows(set: StoredSet, chunk: number, panels: readonly number[], x: number): Gathered {
    const P = panelRows(set.layout.dtype);
    const place = set.chunks[chunk] as StoredSet['chunks'][number];
    const { scratch } = this.#workplaces[place.segment] as Workplace;
    const copy = (name: string, from: number): number => {
      if (from === 0) return 0;
      const to = scratch.at(name, panels.length * P * 8);
      const target = scratch.f64(to, panels.length * P);
      for (const [i, panel] of panels.entries()) target.set(scratch.f64(from + panel * P * 8, P), i * P);
      return to;
    };
    const rows = { y: copy('gathered y', place.y), v: copy('gathered v', place.v), offset: copy('gathered offset', place.offset) };
    return { x, panels, ...rows, segment: place.segment };
  }

  #chunk(pass: GramPass, set: StoredSet, at: Gathered, values: Float64Array): Float64Array {
    const { layout } = set;
    const { kernels, scratch } = this.#workplaces[at.segment] as Workplace;
    const panels = at.panels.length;
    const rows = panels * panelRows(layout.dtype);
    const { columns } = layout;
    const run = { x: at.x, panelStride: columns * CACHE_LINE_BYTES, panels, columns, blockColumns: layout.blockColumns, firstPanel: 0 };
    const rowBytes = panels * CACHE_LINE_BYTES;
    const scratchRows = scratch.at('rows', 3 * rowBytes);
    const r = scratchRows + rowBytes;
    const curvatures = Array.from({ length: this.#outputs }, (_, k) => scratch.at(`curvature rows ${k}`, rows * 8));
    const lanes = scratch.at('lanes', (TOTALS + this.#scalars) * LANES * 8);
    scratch.f64(lanes, (TOTALS + this.#scalars) * LANES).fill(0);

    this.#tilt(layout, at, pass.tilt);
    // Σv·u is the first row scalar of `totals`; Σc comes in the place of its second, and of those after.
    kernels.totals(panels, at, r, lanes);
    scratch.f64(lanes + LANES * 8, (TOTALS - 1) * LANES).fill(0);
    if (this.#loss === 'softmax') this.#classCurvatures(layout, run, pass.at, at, curvatures, lanes + LANES * 8);
    else {
      if (this.#loss !== 'squared') kernels.dots(run, this.#weights(layout, at.segment, pass.at.weights), scratchRows);
      kernels.curvatureRows(this.#loss, panels, scratchRows, pass.at.intercept, at, curvatures[0] as number, lanes + LANES * 8);
    }
    foldScalars(scratch.f64(lanes, this.#scalars * LANES), this.#scalars, values);

    const residuals = layout.dtype === 'f32' ? new Float32Array(scratch.memory.buffer, r, rows) : scratch.f64(r, rows);
    const chosen = pass.columns === undefined ? run : this.#choose(layout, at, pass.columns);
    for (const [k, c] of curvatures.entries()) {
      const own = values.subarray(this.#scalars + k * lengthOfOne(chosen.columns));
      residuals.set(scratch.f64(c, rows));
      this.#columnSums(layout, at, chosen, r, own);
      this.#lower(at, chosen, c, own);
    }
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
  #tilt(layout: Layout, at: Gathered, tilt: Float64Array): void {
    const tilted = [...tilt.keys()].filter((j) => tilt[j] !== 1);
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

  /** The lower triangle, some of its rows at a time. */
  #lower(at: Gathered, run: PanelRun, c: number, values: Float64Array): void {
    const { kernels, scratch } = this.#workplaces[at.segment] as Workplace;
    const groups = scratch.at('groups', at.panels.length * 4 + 64);
    new Uint32Array(scratch.memory.buffer, groups, at.panels.length).set(at.panels.map(groupOfPanel));
    const kernelScratch = scratch.at('gram scratch', (at.panels.length * CACHE_LINE_BYTES + 64) * 8);
    const { columns } = run;
    for (let a = 0; a < columns; ) {
      const first = (a * (a + 1)) / 2;
      let end = a + 1;
      while (end < columns && ((end + 1) * (end + 2)) / 2 - first <= TILE_BYTES / 8) end += 1;
      const count = (end * (end + 1)) / 2 - first;
      const sums = scratch.at('gram sums', count * 8);
      scratch.f64(sums, count).fill(0);
      kernels.gram(run, c, groups, a, end, kernelScratch, sums);
      values.set(scratch.f64(sums, count), columns + first);
      a = end;
    }
  }

  answer(values: Float64Array, columns: number): GramSums {
    const one = (k: number): GramSums => {
      const first = this.#scalars + k * lengthOfOne(columns);
      return {
        weight: values[0] as number,
        c: values[1 + k] as number,
        columns: values.slice(first, first + columns),
        lower: values.slice(first + columns, first + lengthOfOne(columns)),
      };
    };
    if (this.#outputs === 1) return one(0);
    return { ...one(0), others: Array.from({ length: this.#outputs - 1 }, (_, k) => one(k + 1)) };
  }
}

/** Column sums and the lower triangle of one output. */
function lengthOfOne(columns: number): number {
  return columns + (columns * (columns + 1)) / 2;
}

function columnsOf(layout: Layout, share: Share): { begin: number; end: number } {
  return { begin: columnOfBlock(layout, share.blockBegin), end: columnOfBlock(layout, share.blockEnd) };
}

function isRun(panels: readonly number[]): boolean {
  return (panels[panels.length - 1] as number) - (panels[0] as number) === panels.length - 1;
}
