import type { Collective, Part } from '../communicate/collective.ts';
import type { DataStore } from '../data/store.ts';
import type { Loss } from '../kernels/kernels.ts';
import type { Share } from '../partition/plan.ts';
import { sampledPanels } from '../partition/sample.ts';
import type { GramSums } from '../update/pass.ts';
import { ChunkTree } from './chunk-tree.ts';
import { GramChunk, type GramPass } from './gram-chunk.ts';
import { GramPlan } from './gram-plan.ts';
import { SampleRows } from './gram-rows.ts';
import type { Workplace } from './workplace.ts';

/** What is reduced: this rank's nodes of some of the sums, and where those sums of all belong. */
type Reduce = (parts: readonly Part[], into: Float64Array) => Promise<void>;

export interface GramPlace {
  readonly share: Share;
  /** Ranks that share rows, in every worker row. */
  readonly members: number;
  readonly pieceBytes?: number | undefined;
}

/**
 * The curvature-weighted Gram matrix of a sample. It needs whole rows, so ranks of a worker row (a column split) first hand
 * each other their columns of the sampled panels; then each makes some rows of the matrix, over all of the row's chunks. They are
 * reduced over chunks like every other sum, some rows at a time (gram-plan.ts).
 */
export class GramCells {
  readonly #store: DataStore;
  readonly #classes: number;
  readonly #place: GramPlace;
  readonly #row: Collective;
  readonly #sample: SampleRows;
  readonly #chunk: GramChunk;

  constructor(
    store: DataStore,
    place: GramPlace,
    model: { readonly loss: Loss; readonly classes: number },
    row: Collective,
    workplaces: readonly Workplace[],
  ) {
    this.#store = store;
    this.#place = place;
    this.#classes = model.classes;
    this.#row = row;
    this.#sample = new SampleRows(place.share, row, workplaces);
    this.#chunk = new GramChunk(model, workplaces);
  }

  async sums(pass: GramPass, pause: (() => Promise<void> | undefined) | undefined, reduce: Reduce): Promise<GramSums> {
    const set = this.#store.training;
    const { layout } = set;
    const { share, members, pieceBytes } = this.#place;
    const plan = new GramPlan({ outputs: this.#classes, columns: pass.columns?.length ?? layout.columns, members }, pieceBytes);
    const values = new Float64Array(plan.length);
    const { chunkBegin, chunkEnd } = share;
    const tree = new ChunkTree(chunkBegin, chunkEnd, layout.chunks, plan.longest);
    const tilted = [...pass.tilt.keys()].filter((j) => pass.tilt[j] !== 1);
    for (let round = 0; round < plan.rounds; round += 1) {
      const piece = plan.piece(round, this.#row.rank);
      const task = { pass, tilted, plan, piece };
      tree.start();
      for (let chunk = chunkBegin; chunk < chunkEnd; chunk += 1) {
        const panels = sampledPanels(layout, pass.sample.count, chunk);
        if (panels.length === 0) tree.push(undefined);
        else {
          const at = await this.#sample.gather(set, chunk, panels);
          tree.push(this.#chunk.sums(task, layout, at, tree.take()));
        }
        await pause?.();
      }
      const { begin, end } = plan.range(round);
      const own = { begin: piece.begin - begin, end: piece.end - begin };
      const parts = tree.finish().map(({ node, values: sums }) => ({ node, ...own, values: sums?.subarray(0, piece.end - piece.begin) }));
      await reduce(parts, values.subarray(begin, end));
    }
    return answerOf(plan, values);
  }
}

/** The sums of every output, without copies. */
function answerOf(plan: GramPlan, values: Float64Array): GramSums {
  const { columns, outputs, head, scalars } = plan;
  const triangle = (columns * (columns + 1)) / 2;
  const one = (k: number): GramSums => ({
    weight: values[0] as number,
    c: values[1 + k] as number,
    columns: values.subarray(scalars + k * columns, scalars + (k + 1) * columns),
    lower: values.subarray(head + k * triangle, head + (k + 1) * triangle),
  });
  if (outputs === 1) return one(0);
  return { ...one(0), others: Array.from({ length: outputs - 1 }, (_, k) => one(k + 1)) };
}
