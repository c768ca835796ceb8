import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  ACCUMULATOR_BYTES,
  foldLanes,
  type KernelLoss,
  type Kernels,
  LANES,
  LIST,
  LIST_WORDS,
  STEP_WORDS,
} from '../../src/kernels/kernels.ts';
import { referenceKernels } from '../../src/kernels/reference.ts';
import { wasmKernels } from '../../src/kernels/wasm.ts';
import { type Dtype, groupOfPanel, panelRows } from '../../src/partition/layout.ts';
import { Bench, dtypes, losses, numbers, type Shape, shapes } from './arena.ts';

interface Entry {
  /** Place in the bench's run, and number in its chunk. */
  readonly at: number;
  readonly panel: number;
  readonly begin: number;
  readonly end: number;
  readonly chunk: number;
}

/** Some of a bench's panels in chunks, with one row, some rows or all rows of each. */
function entriesOf(bench: Bench, seed: number): Entry[] {
  const random = numbers(seed);
  const P = panelRows(bench.arena.dtype);
  const entries: Entry[] = [];
  let chunk = 0;
  let panel = Math.floor(random() * 40);
  for (let at = 0; at < bench.run.panels; at += 1) {
    if (random() < 0.3) {
      chunk += 1;
      panel = Math.floor(random() * 40);
    }
    if (random() < 0.8) {
      const begin = random() < 0.5 ? 0 : Math.floor(random() * P);
      const end = random() < 0.4 ? P : random() < 0.5 ? begin + 1 : begin + 1 + Math.floor(random() * (P - begin));
      entries.push({ at, panel, begin, end, chunk });
    }
    panel += 1 + Math.floor(random() * random() * 30);
  }
  return entries;
}

/** Puts entries where a kernel reads them: their address. */
function listOf({ arena, run: panels, rows }: Bench, entries: readonly Entry[]): number {
  const P = panelRows(arena.dtype);
  const list = arena.take(entries.length * LIST_WORDS * 4 + 4);
  const words = new Uint32Array(arena.memory.buffer, list, entries.length * LIST_WORDS);
  for (const [i, { at, panel, begin, end, chunk }] of entries.entries()) {
    const row = at * P * 8;
    const values = {
      x: panels.x + at * panels.panelStride,
      y: rows.y + row,
      v: rows.v + row,
      offset: rows.offset === 0 ? 0 : rows.offset + row,
      ...{ panel, begin, end, chunk },
    };
    for (const [name, word] of Object.entries(LIST)) words[i * LIST_WORDS + word] = values[name as keyof typeof LIST];
  }
  return list;
}

/** All that the kernel wrote: chunks × (2 + columns), and the accumulators. */
function run(make: typeof wasmKernels, dtype: Dtype, loss: KernelLoss, shape: Shape): { out: number[]; accumulators: number[] } {
  const bench = new Bench(make, dtype, shape);
  const { arena, kernels, run: panels, w, b, scratch, accumulators } = bench;
  const entries = entriesOf(bench, shape.seed);
  const list = listOf(bench, entries);
  const chunks = new Set(entries.map(({ chunk }) => chunk)).size;
  const length = chunks * (2 + panels.columns);
  const out = arena.put64(new Float64Array(length).fill(7));
  arena.f64(accumulators, (panels.columns * ACCUMULATOR_BYTES) / 8).fill(0);
  kernels.gradientList(loss, list, entries.length, panels.columns, panels.blockColumns, w, b, scratch, accumulators, out);
  return { out: [...arena.f64(out, length)], accumulators: [...arena.f64(accumulators, panels.columns * 2)] };
}

/** The same by the kernels of whole chunks, with sample weights masked by hand. */
function expected(dtype: Dtype, loss: KernelLoss, shape: Shape): number[] {
  const bench = new Bench(referenceKernels, dtype, shape);
  const { arena, kernels, run: panels, rows, w, b, scratch, lanes, accumulators, sums } = bench;
  const P = panelRows(dtype);
  const entries = entriesOf(bench, shape.seed);
  const clear = (): void => {
    arena.f64(lanes, 2 * LANES).fill(0);
    arena.f64(accumulators, panels.columns * 2).fill(0);
    arena.f64(sums, panels.columns).fill(0);
  };
  const out: number[] = [];
  for (const [i, { at, panel, begin, end, chunk }] of entries.entries()) {
    if (i === 0 || entries[i - 1]?.chunk !== chunk) clear();
    else if (dtype === 'f32' && groupOfPanel(entries[i - 1]?.panel ?? 0) !== groupOfPanel(panel))
      kernels.flush(panels.columns, accumulators, sums);
    const row = at * P * 8;
    const v = arena.f64(rows.v + row, P);
    for (let lane = 0; lane < P; lane += 1) if (lane < begin || lane >= end) v[lane] = 0;
    const one = { ...panels, x: panels.x + at * panels.panelStride, panels: 1, firstPanel: panel };
    const pointers = { y: rows.y + row, v: rows.v + row, offset: rows.offset === 0 ? 0 : rows.offset + row };
    kernels.gradient(loss, one, w, b, pointers, scratch, lanes, accumulators, sums);
    if (entries[i + 1]?.chunk === chunk) continue;
    kernels.flush(panels.columns, accumulators, sums);
    const scalars = arena.f64(lanes, 2 * LANES);
    out.push(foldLanes(scalars), foldLanes(scalars, LANES), ...arena.f64(sums, panels.columns));
  }
  return out;
}

describe.each(dtypes)('gradientList, %s', (dtype) => {
  test.each(losses)('%s: SIMD ≡ reference ≡ the kernels of whole chunks', (loss) => {
    fc.assert(
      fc.property(shapes, (shape) => {
        const wanted = expected(dtype, loss, shape);
        for (const make of [wasmKernels, referenceKernels]) {
          const { out, accumulators } = run(make, dtype, loss, shape);
          expect(out).toEqual(wanted);
          expect(accumulators).toEqual(accumulators.map(() => 0));
        }
      }),
      { numRuns: 80 },
    );
  });
});

/** Weights and mean after plain steps, a batch for every one to three entries, whose chunks may be any. */
function descended(make: typeof wasmKernels, dtype: Dtype, loss: KernelLoss, shape: Shape): number[] {
  const bench = new Bench(make, dtype, shape);
  const { arena, kernels, run: panels, w, scratch, accumulators } = bench;
  const random = numbers(shape.seed + 1);
  let chunk = 0;
  const entries = entriesOf(bench, shape.seed).map((entry, i, all) => {
    if (i === 0 || all[i - 1]?.chunk !== entry.chunk) chunk += 1 + Math.floor(random() * 9);
    return { ...entry, chunk };
  });
  const counts: number[] = [];
  for (let left = entries.length; left > 0; left -= counts[counts.length - 1] ?? left)
    counts.push(Math.min(left, 1 + Math.floor(random() * 9)));
  const steps = arena.put64(new Float64Array(counts.length * STEP_WORDS));
  for (const [i, count] of counts.entries()) {
    arena.f64(steps, counts.length * STEP_WORDS).set([0, 1 + random() * 8, random() / 8, i % 3 === 0 ? 0 : 1 / i], i * STEP_WORDS);
    new Uint32Array(arena.memory.buffer, steps + i * STEP_WORDS * 8, 1)[0] = count;
  }
  const length = panels.columns + 1;
  const [at, mean] = [0, 1].map(() => arena.put64(Float64Array.from({ length }, () => random() - 0.5)));
  const out = arena.put64(new Float64Array(9 * (1 + length)).fill(7));
  arena.f64(accumulators, panels.columns * 2).fill(0);
  const listed = { list: listOf(bench, entries), steps, count: counts.length };
  const intercept = shape.seed % 2 === 0;
  const { columns, blockColumns } = panels;
  kernels.descendList(loss, listed, columns, blockColumns, w, at, mean, 0.125, intercept, scratch, accumulators, out);
  return [...arena.f64(at, length), ...arena.f64(mean, length)];
}

describe.each(dtypes)('descendList, %s', (dtype) => {
  test.each(losses)('%s: SIMD ≡ reference', (loss) => {
    fc.assert(
      fc.property(shapes, (shape) => {
        fc.pre(entriesOf(new Bench(referenceKernels, dtype, shape), shape.seed).length > 0);
        expect(descended(wasmKernels, dtype, loss, shape)).toEqual(descended(referenceKernels, dtype, loss, shape));
      }),
      { numRuns: 60 },
    );
  });
});

test.each([0, 1, 2, 7])('addSums of %i', (count) => {
  const sum = (make: (memory: WebAssembly.Memory, dtype: Dtype) => Kernels): number[] => {
    const memory = new WebAssembly.Memory({ initial: 1, maximum: 65_536, shared: true });
    const kernels = make(memory, 'f32');
    const values = new Float64Array(memory.buffer, 0, 32).map((_, i) => i / 7);
    new Float64Array(memory.buffer, 0, 32).set(values);
    kernels.addSums(0, 128, count);
    expect([...new Float64Array(memory.buffer, 8 * count, 16 - count)]).toEqual([...values.subarray(count, 16)]);
    return [...new Float64Array(memory.buffer, 0, count)];
  };
  const wanted = Array.from({ length: count }, (_, i) => i / 7 + (i + 16) / 7);
  expect(sum(referenceKernels)).toEqual(wanted);
  expect(sum(wasmKernels)).toEqual(wanted);
});
