import type { Collective } from '../communicate/collective.ts';
import { addressOf, panelStrideOf, type StoredSet } from '../data/store.ts';
import { CACHE_LINE_BYTES, columnOfBlock, panelRows } from '../partition/layout.ts';
import type { Share } from '../partition/plan.ts';
import type { Workplace } from './workplace.ts';

/** Sampled panels of one chunk, with all columns, where the kernels can read them. */
export interface Gathered {
  readonly x: number;
  readonly panels: readonly number[];
  readonly y: number;
  readonly v: number;
  readonly offset: number;
  readonly segment: number;
}

/** Brings the sampled panels of chunks together: a Gram matrix needs whole rows, and ranks of a column split have some columns each. */
export class SampleRows {
  readonly #share: Share;
  readonly #row: Collective;
  readonly #workplaces: readonly Workplace[];

  /** `row`: the ranks that share rows, which gather the same chunks in the same order. */
  constructor(share: Share, row: Collective, workplaces: readonly Workplace[]) {
    this.#share = share;
    this.#row = row;
    this.#workplaces = workplaces;
  }

  async gather(set: StoredSet, chunk: number, panels: readonly number[]): Promise<Gathered> {
    const place = set.chunks[chunk] as StoredSet['chunks'][number];
    const x = await this.#columns(set, place, panels);
    // Copied: their sample weights are about to be tilted.
    const P = panelRows(set.layout.dtype);
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

  /** Address of whole panels, one after the other, in the chunk's segment. */
  async #columns(set: StoredSet, place: StoredSet['chunks'][number], panels: readonly number[]): Promise<number> {
    const { layout } = set;
    const { scratch } = this.#workplaces[place.segment] as Workplace;
    const stride = layout.columns * CACHE_LINE_BYTES;
    const alone = this.#row.size === 1;
    if (alone && isRun(panels)) return place.x + (panels[0] as number) * stride;
    const begin = columnOfBlock(layout, this.#share.blockBegin);
    const width = (columnOfBlock(layout, this.#share.blockEnd) - begin) * CACHE_LINE_BYTES;
    const from = addressOf(set, place, begin);
    const panelBytes = panelStrideOf(set);
    const own = (panel: number): Uint8Array => new Uint8Array(scratch.memory.buffer, from + panel * panelBytes, width);
    const x = scratch.at('gathered', panels.length * stride + CACHE_LINE_BYTES);
    const whole = new Uint8Array(scratch.memory.buffer, x, panels.length * stride);
    if (alone) {
      for (const [i, panel] of panels.entries()) whole.set(own(panel), i * stride);
      return x;
    }
    const bytes = new Uint8Array(panels.length * width);
    for (const [i, panel] of panels.entries()) bytes.set(own(panel), i * width);
    let column = 0;
    for (const piece of await this.#row.allGather(bytes)) {
      const pieceWidth = piece.length / panels.length;
      for (let i = 0; i < panels.length; i += 1) whole.set(piece.subarray(i * pieceWidth, (i + 1) * pieceWidth), i * stride + column);
      column += pieceWidth;
    }
    return x;
  }
}

function isRun(panels: readonly number[]): boolean {
  return (panels[panels.length - 1] as number) - (panels[0] as number) === panels.length - 1;
}
