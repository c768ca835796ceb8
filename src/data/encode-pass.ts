import { panelRows } from '../partition/layout.ts';
import { inThisThread } from './array-tasks.ts';
import { type Plan, progress } from './encode-plan.ts';
import type { Encoded } from './encoded.ts';
import type { Encoder } from './encoder.ts';
import { PlacedArrays, packKept } from './kept.ts';
import { type PackCounts, Packer } from './pack.ts';
import type { KeptBatch } from './pack-table.ts';
import { placementOf } from './placement.ts';
import { RunningTree } from './running-tree.ts';
import { type BatchRows, type ChunkSink, SetWriter } from './scatter.ts';
import { TRAINING, VALIDATION } from './split.ts';
import { choose, type Moments, mergeMoments, momentsOf } from './statistics.ts';
import type { FirstPass } from './statistics-pass.ts';
import type { DataStore } from './store.ts';
import type { Batch, Values } from './table.ts';
import { fillTarget } from './target.ts';

/**
 * The second pass over a table, its encoder known: every row to its place in the chunks. One batch after another while the table
 * is scanned again, or by many workers at once where the first pass has kept the batches; with the same bits.
 */

/** Batches for the second pass: target, row columns and then the encoder's columns; kept ones, or those of a second scan. */
async function* secondPass(plan: Plan, first: FirstPass, encoder: Encoder): AsyncGenerator<Batch> {
  const { table, options } = plan;
  const names = new Map(encoder.columns.map((column, i) => [column.name, i]));
  // Constant columns are not looked at again.
  const kept = plan.features.filter((feature) => names.has(table.columns[feature]?.name ?? ''));
  const before = [plan.target, ...plan.rowColumns.scanned];
  if (first.kept === undefined) {
    yield* plan.watch.over(table.scan([...before, ...kept], { signal: options.signal }));
    return;
  }
  const skipped = before.length + plan.tableSplit.scanned.length;
  const at = [...before.keys(), ...kept.map((feature) => skipped + plan.features.indexOf(feature))];
  for (const batch of first.kept) {
    options.signal?.throwIfAborted();
    yield { ...batch, columns: at.map((i) => batch.columns[i] as Values) };
  }
}

/** Batches of the second pass with what each row has beside its features; moments of the target over the training rows. */
class RowsOfBatches {
  readonly #plan: Plan;
  readonly #first: FirstPass;
  readonly #moments = new RunningTree<Moments>(mergeMoments);
  #done = 0;

  constructor(plan: Plan, first: FirstPass) {
    this.#plan = plan;
    this.#first = first;
  }

  /** Batches in order, each once. */
  next(batch: Batch): BatchRows & { readonly use: Uint8Array } {
    const { rowColumns } = this.#plan;
    const use = this.#first.uses[this.#done] as Uint8Array;
    this.#done += 1;
    const y = new Float64Array(batch.rows);
    fillTarget(this.#first.target, batch.columns[0] as Values, batch.rows, y);
    const { weight, offset } = rowColumns.read(batch, 1, use);
    const chosen = choose(use, TRAINING, weight);
    this.#moments.push(chosen.count === 0 ? undefined : momentsOf(y, undefined, chosen));
    progress(this.#plan, 'encode', batch.firstRow + batch.rows);
    return { firstRow: batch.firstRow, values: batch.columns.slice(1 + rowColumns.scanned.length), y, v: weight, offset, use };
  }

  get targetStatistics(): Moments {
    return this.#moments.finish() as Moments;
  }
}

/** The second pass, batch by batch into sinks. */
export async function encodePass(
  plan: Plan,
  first: FirstPass,
  encoder: Encoder,
  sinks: { readonly training: ChunkSink; readonly validation: ChunkSink },
): Promise<Pick<Encoded, 'targetStatistics'> & { counts: PackCounts }> {
  const { table, options } = plan;
  const { layout } = sinks.training;
  const packer = new Packer(encoder, panelRows(layout.dtype), table.source);
  const training = new SetWriter(sinks.training, placementOf(layout, options.shuffle ?? 'windows', plan.split.seed), packer);
  const validation = new SetWriter(sinks.validation, (row) => row, packer);
  const rowsOf = new RowsOfBatches(plan, first);
  for await (const batch of secondPass(plan, first, encoder)) {
    const { use, ...rows } = rowsOf.next(batch);
    await training.write(rows, use, TRAINING);
    await validation.write(rows, use, VALIDATION);
  }
  return { counts: packer.counts, targetStatistics: rowsOf.targetStatistics };
}

/** The second pass over kept batches, by many workers. */
export async function packPass(plan: Plan, first: FirstPass, encoder: Encoder, store: DataStore) {
  const { options } = plan;
  const began = performance.now();
  const rowsOf = new RowsOfBatches(plan, first);
  const placed = new PlacedArrays(first.uses.length, { weight: options.weight !== undefined, offset: options.offset !== undefined });
  const batches: KeptBatch[] = [];
  for await (const batch of secondPass(plan, first, encoder)) {
    const { firstRow, values, y, v, offset } = rowsOf.next(batch);
    placed.put(batches.length, y, v, offset);
    batches.push({ firstRow, values });
  }
  const packers = await (options.packers?.(store.training.layout) ?? inThisThread);
  options.signal?.throwIfAborted();
  const rows = { y: placed.y, v: placed.v, offset: placed.offset };
  const { seed } = plan.split;
  const given = { batches, rows, uses: first.uses, encoder, source: plan.table.source, store, shuffle: options.shuffle ?? 'windows', seed };
  const packed = await packKept(given, packers);
  plan.watch.encode += performance.now() - began;
  return { ...packed, targetStatistics: rowsOf.targetStatistics };
}
