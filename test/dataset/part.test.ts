import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { loadParts, NO_PART, partsOf } from '../../src/data/dataset/part.ts';
import { type Dataset, openDataset } from '../../src/data/dataset/read.ts';
import { type DataStore, indexOf, viewsOf } from '../../src/data/store.ts';
import { partitionOf } from '../../src/partition/plan.ts';
import { NUMERICS_VERSION } from '../../src/partition/version.ts';
import { randomData, storeOf } from '../support/problems.ts';
import { writeStore } from '../support/processes.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'paragrad-part-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

async function both(name: string, dtype: 'f32' | 'f64'): Promise<{ store: DataStore; dataset: Dataset }> {
  const data = { ...randomData(2, 203, 11, true), v: (row: number) => row % 3, offset: (row: number) => row / 7 };
  const validation = { ...randomData(3, 70, 11, true), offset: (row: number) => row / 9 };
  const store = storeOf(data, { dtype, chunkRows: 16, blockColumns: 2, validation });
  const path = join(folder, name);
  await writeStore(store, path);
  return { store, dataset: await openDataset(path, NUMERICS_VERSION) };
}

describe.each(['f32', 'f64'] as const)('%s', (dtype) => {
  test('law: every cell is in exactly one part of a split, with the values of the whole', async () => {
    const { store, dataset } = await both(dtype, dtype);
    for (const kind of ['rows', 'columns', 'grid'] as const)
      for (const workers of [1, 3, 4]) {
        const partition = partitionOf(store.training.layout, kind, workers);
        const seen = { training: new Map<string, number>(), validation: new Map<string, number>() };
        for (const share of partition.shares) {
          const parts = partsOf(dataset.manifest.layouts, partition, share);
          const part = await loadParts(dataset, parts);
          for (const set of ['training', 'validation'] as const) {
            const { layout } = store[set];
            const { chunkBegin, chunkEnd, columns } = parts[set];
            for (let chunk = 0; chunk < layout.chunks; chunk += 1) {
              if (chunk < chunkBegin || chunk >= chunkEnd) {
                expect(() => viewsOf(part, part[set], chunk)).toThrow(/not here/u);
                continue;
              }
              const own = viewsOf(part, part[set], chunk);
              const whole = viewsOf(store, store[set], chunk);
              expect(own.y).toEqual(whole.y);
              expect(own.v).toEqual(whole.v);
              expect(own.offset).toEqual(whole.offset);
              const narrow = { ...layout, columns: columns.end - columns.begin };
              for (let row = 0; row < own.rows; row += 1)
                for (let column = columns.begin; column < columns.end; column += 1) {
                  if (own.x[indexOf(narrow, row, column - columns.begin)] !== whole.x[indexOf(layout, row, column)])
                    expect.unreachable(`row ${row} of chunk ${chunk}, column ${column}`);
                  const cell = `${chunk} ${row} ${column}`;
                  seen[set].set(cell, (seen[set].get(cell) ?? 0) + 1);
                }
            }
          }
        }
        for (const set of ['training', 'validation'] as const) {
          expect(seen[set].size).toBe(store[set].layout.rows * 11);
          expect([...seen[set].values()].every((times) => times === 1)).toBe(true);
        }
      }
  });
});

test('classes are weighted while rows are read: training rows only', async () => {
  const { store, dataset } = await both('weighted', 'f64');
  const whole = { chunkBegin: 0, chunkEnd: store.training.layout.chunks, columns: { begin: 0, end: 11 } };
  const part = await loadParts(
    dataset,
    { training: whole, validation: { ...whole, chunkEnd: store.validation.layout.chunks } },
    { factors: { negative: 0.5, positive: 3 } },
  );
  for (const chunk of [0, 5]) {
    const before = viewsOf(store, store.training, chunk);
    const after = viewsOf(part, part.training, chunk);
    expect(after.v).toEqual(before.v.map((v, i) => v * (before.y[i] === 1 ? 3 : 0.5)));
  }
  expect(viewsOf(part, part.validation, 0).v).toEqual(viewsOf(store, store.validation, 0).v);
});

test('a byte that is damaged in columns that are dropped is found: the checksum is of the whole chunk', async () => {
  const { store, dataset } = await both('damaged', 'f32');
  const shard = join(folder, 'damaged', readdirSync(join(folder, 'damaged')).find((name) => name.startsWith('shard')) as string);
  const bytes = readFileSync(shard);
  const offset = dataset.manifest.shards[0]?.chunks[0]?.x?.[0] ?? Number.NaN;
  bytes[offset] = (bytes[offset] as number) ^ 1;
  writeFileSync(shard, bytes);
  const last = { chunkBegin: 0, chunkEnd: store.training.layout.chunks, columns: { begin: 8, end: 11 } };
  await expect(loadParts(dataset, { training: last, validation: NO_PART })).rejects.toMatchObject({ code: 'PARAGRAD_DATASET_FILE' });
});
