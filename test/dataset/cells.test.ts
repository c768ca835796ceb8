import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { areIntact, CellReader, type Cells, receiveParts } from '../../src/data/dataset/cells.ts';
import { loadParts, type NO_PART } from '../../src/data/dataset/part.ts';
import { type Dataset, openDataset } from '../../src/data/dataset/read.ts';
import type { DataStore } from '../../src/data/store.ts';
import { NUMERICS_VERSION } from '../../src/partition/version.ts';
import { randomData, storeOf } from '../support/problems.ts';
import { writeStore } from '../support/processes.ts';

let folder: string;
const datasets: Dataset[] = [];
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'paragrad-cells-'));
  for (const dtype of ['f32', 'f64'] as const) {
    const offset = (row: number): number => row / 8;
    const data = { ...randomData(3, 90, 21, true), offset, v: (row: number) => 1 + (row % 3) };
    const validation = { ...randomData(4, 37, 21, true), offset };
    const { folder: path } = await writeStore(storeOf(data, { dtype, chunkRows: 16, blockColumns: 8, validation }), join(folder, dtype));
    datasets.push(await openDataset(path, NUMERICS_VERSION));
  }
});
afterAll(() => rmSync(folder, { recursive: true }));

const memories = (store: DataStore): string[] => store.segments.map(({ buffer }) => Buffer.from(buffer).toString('base64'));
/** As after a journey. */
const copied = (cells: Cells): Cells => structuredClone(cells);

test('cells that travelled ≡ cells from the disk, byte for byte, for any part of chunks and columns', async () => {
  const range = (most: number): fc.Arbitrary<[number, number]> =>
    fc.tuple(fc.nat(most), fc.nat(most)).map(([a, b]) => [Math.min(a, b), Math.max(a, b)]);
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...datasets),
      range(6),
      range(3),
      range(21),
      fc.boolean(),
      async (dataset, training, validation, columns, weigh) => {
        const part = ([chunkBegin, chunkEnd]: [number, number]): typeof NO_PART => ({
          chunkBegin,
          chunkEnd,
          columns: { begin: columns[0], end: columns[1] },
        });
        const parts = { training: part(training), validation: part(validation) };
        const factors = weigh ? { negative: 0.5, positive: 3 } : undefined;
        const reader = new CellReader(dataset);
        try {
          // Asked for one by one, as a server answers.
          let last: Promise<unknown> = Promise.resolve();
          const ask = (wanted: Parameters<CellReader['read']>[0]): Promise<Cells> => {
            const answer = last.then(async () => copied(await reader.read(wanted)));
            last = answer;
            return answer;
          };
          let chunks = 0;
          const onChunk = (): void => {
            chunks += 1;
          };
          const received = await receiveParts(reader.facts, parts, ask, { factors, onChunk });
          expect(memories(received)).toEqual(memories(await loadParts(dataset, parts, { factors })));
          expect(chunks).toBe(training[1] - training[0] + validation[1] - validation[0]);
        } finally {
          await reader.close();
        }
      },
    ),
    { numRuns: 60 },
  );
});

test('one flipped bit is noticed', async () => {
  const reader = new CellReader(datasets[0] as Dataset);
  const cells = copied(await reader.read({ set: 'training', chunk: 2, columns: { begin: 3, end: 9 } }));
  await reader.close();
  expect(areIntact(cells)).toBe(true);
  fc.assert(
    fc.property(fc.constantFrom('x', 'y', 'weight', 'offset' as const), fc.nat(), fc.nat(7), (name, at, bit) => {
      const bytes = cells[name] as Uint8Array;
      bytes[at % bytes.length] = (bytes[at % bytes.length] as number) ^ (1 << bit);
      expect(areIntact(cells)).toBe(false);
      bytes[at % bytes.length] = (bytes[at % bytes.length] as number) ^ (1 << bit);
    }),
  );
  expect(areIntact({ ...cells, offset: undefined })).toBe(false);
});

test('what the dataset does not have is refused', async () => {
  const reader = new CellReader(datasets[0] as Dataset);
  for (const [chunk, begin, end] of [
    [-1, 0, 1],
    [6, 0, 1],
    [0, 2, 1],
    [0, 0, 22],
  ] as const)
    await expect(reader.read({ set: 'training', chunk, columns: { begin, end } })).rejects.toThrow(RangeError);
  await reader.close();
});
