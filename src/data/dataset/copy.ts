import type { Encoded } from '../encoded.ts';
import type { ChunkSink } from '../scatter.ts';
import { viewsOf } from '../store.ts';
import type { SetName } from './format.ts';

/** Writes encoded data that are in memory already. */
export async function copyChunks(encoded: Encoded, sinks: Readonly<Record<SetName, ChunkSink>>): Promise<void> {
  const { store, trainingRows, validationRows } = encoded;
  for (const [name, rows] of [
    ['training', trainingRows],
    ['validation', validationRows],
  ] as const) {
    const { layout } = store[name];
    for (let chunk = 0; chunk < layout.chunks; chunk += 1) {
      const from = viewsOf(store, store[name], chunk);
      const { views, sourceRows } = sinks[name].open(chunk);
      views.x.set(from.x);
      views.y.set(from.y);
      views.v.set(from.v);
      if (views.offset !== undefined && from.offset !== undefined) views.offset.set(from.offset);
      sourceRows.set(rows.subarray(chunk * layout.chunkRows, chunk * layout.chunkRows + from.rows));
      await sinks[name].close(chunk);
    }
  }
}
