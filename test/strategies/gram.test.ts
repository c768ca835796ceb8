import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createLoopbackCollectives } from '../../src/communicate/loopback/collectives.ts';
import type { DataStore } from '../../src/data/store.ts';
import { kernelsFor } from '../../src/engines/kernels.ts';
import type { Loss } from '../../src/kernels/kernels.ts';
import { panelsOf } from '../../src/partition/layout.ts';
import { type PartitionKind, partitionOf } from '../../src/partition/plan.ts';
import { CellEvaluator } from '../../src/strategies/cell-evaluator.ts';
import { GramPlan } from '../../src/strategies/gram-plan.ts';
import type { GramSums, Pass } from '../../src/update/pass.ts';
import { generator, randomData, storeOf } from '../support/problems.ts';

const plans = fc.record({
  outputs: fc.integer({ min: 1, max: 4 }),
  columns: fc.integer({ min: 0, max: 20 }),
  members: fc.integer({ min: 1, max: 6 }),
  pieceBytes: fc.integer({ min: 8, max: 2000 }),
});

test('pieces are all rows of all triangles once, in order, and of nearly equal size', () => {
  fc.assert(
    fc.property(plans, ({ pieceBytes, ...shape }) => {
      const { outputs, columns, members } = shape;
      const plan = new GramPlan(shape, pieceBytes);
      let next = 0;
      const rows: string[] = [];
      for (let round = 0; round < plan.rounds; round += 1) {
        const range = plan.range(round);
        expect(range.begin).toBe(next);
        for (let member = 0; member < members; member += 1) {
          const piece = plan.piece(round, member);
          expect(piece.begin).toBe(next);
          expect(piece.hasHead).toBe(round === 0 && member === 0);
          let at = piece.hasHead ? plan.head : 0;
          for (const part of piece.rows) {
            expect(part.at).toBe(at);
            for (let row = part.begin; row < part.end; row += 1) {
              rows.push(`${part.output} ${row}`);
              at += row + 1;
            }
          }
          expect(piece.end - piece.begin).toBe(at);
          // Its share, and at most one row more.
          expect(at - (piece.hasHead ? plan.head : 0)).toBeLessThanOrEqual(pieceBytes / 8 + columns + 1);
          expect(at).toBeLessThanOrEqual(plan.longest);
          next = piece.end;
        }
        expect(range.end).toBe(next);
      }
      expect(next).toBe(plan.length);
      expect(plan.length).toBe(1 + outputs + outputs * (columns + (columns * (columns + 1)) / 2));
      expect(rows).toEqual(Array.from({ length: outputs * columns }, (_, i) => `${Math.floor(i / columns)} ${i % columns}`));
    }),
    { numRuns: 40 },
  );
});

interface Split {
  readonly kind: PartitionKind;
  readonly workers: number;
  readonly pieceBytes?: number;
}

/** Every rank's answer, and how many numbers were reduced at a time. */
async function gramOf(store: DataStore, loss: Loss, pass: Pass & { kind: 'gram' }, { kind, workers, pieceBytes }: Split) {
  const partition = partitionOf(store.training.layout, kind, workers);
  const { columns, rows } = partition.grid;
  const worlds = createLoopbackCollectives(workers);
  const groups = Array.from({ length: rows }, () => createLoopbackCollectives(columns));
  const made = kernelsFor('wasm', store.training.layout.dtype);
  const classes = loss === 'softmax' ? 3 : undefined;
  const answers = await Promise.all(
    worlds.map((world, rank) => {
      const row = groups[Math.floor(rank / columns)][rank % columns];
      const options = { store, partition, rank, loss, classes, kernels: made, world, row, gramPieceBytes: pieceBytes };
      return new CellEvaluator(options).evaluate(pass);
    }),
  );
  const steps = worlds.map(({ step }) => step);
  await Promise.all([...worlds, ...groups.flat()].map((collective) => collective.close()));
  return { answers, steps };
}

const hex = ({ weight, c, columns, lower, others = [] }: GramSums): string =>
  [Buffer.from(Float64Array.of(weight, c, ...columns, ...lower).buffer).toString('hex'), ...others.map(hex)].join(' ');

test.each(['squared', 'logistic', 'softmax'] as const)('%s: the same bits by every split, in one piece or in many', async (loss) => {
  const [rows, columns] = [1900, 12];
  const data = randomData(5, rows, columns, true);
  const y = (row: number): number => (loss === 'softmax' ? row % 3 : data.y(row));
  const store = storeOf({ ...data, y }, { dtype: 'f32', chunkRows: 64, blockColumns: 3 });
  const { layout } = store.training;
  expect(layout.chunks).toBeGreaterThan(8);
  const random = generator(9);
  const numbers = (count: number): Float64Array => Float64Array.from({ length: count }, () => random() - 0.5);
  const at =
    loss === 'softmax'
      ? { weights: numbers(3 * columns), intercept: 0.1, others: numbers(2) }
      : { weights: numbers(columns), intercept: 0.1 };
  const tilt = Float64Array.from({ length: columns }, (_, j) => (j % 4 === 0 ? 2 : 1));
  for (const count of [panelsOf(layout), Math.floor(panelsOf(layout) / 9)])
    for (const chosen of [undefined, Uint32Array.of(0, 3, 4, 8, 11)]) {
      const pass = { kind: 'gram', at, sample: { count }, tilt, ...(chosen === undefined ? {} : { columns: chosen }) } as const;
      const one = await gramOf(store, loss, pass, { kind: 'rows', workers: 1 });
      const expected = hex(one.answers[0]);
      expect(one.steps).toEqual([1]);
      for (const split of [
        { kind: 'rows', workers: 1, pieceBytes: 24 },
        { kind: 'rows', workers: 3, pieceBytes: 24 },
        { kind: 'columns', workers: 4 },
        { kind: 'columns', workers: 3, pieceBytes: 24 },
        { kind: 'grid', workers: 4, pieceBytes: 24 },
      ] as const) {
        const { answers, steps } = await gramOf(store, loss, pass, split);
        expect(answers.map(hex)).toEqual(answers.map(() => expected));
        if ('pieceBytes' in split) expect(steps[0]).toBeGreaterThan(1);
      }
    }
});
