import { basename } from 'node:path';
import { performance } from 'node:perf_hooks';
import { growSegment, newSegment } from '../src/data/store.ts';
import { WasmInstance } from '../src/kernels/instance.ts';
import { ACCUMULATOR_BYTES, type KernelLoss, type Kernels, LANES, type PanelRun } from '../src/kernels/kernels.ts';
import { wasmKernels } from '../src/kernels/wasm.ts';
import {
  bytesPerValue,
  CACHE_LINE_BYTES,
  type Dtype,
  type Layout,
  layoutOf,
  panelRows,
  panelsOfChunk,
  rowsOfChunk,
} from '../src/partition/layout.ts';

/**
 * Speed of each dense kernel on data that no cache holds, against what the machine can read on one thread. Chunks are taken
 * in turn by the kernel and by the read limit (which reads another chunk, half the data away), and the median over chunks and
 * passes counts: what else the machine does in the meantime slows both.
 */
export interface KernelRow {
  readonly kernel: string;
  readonly loss: KernelLoss | '';
  readonly dtype: Dtype;
  readonly columns: number;
  /** 1e9 bytes of data read per second (x, and y and v where the kernel reads them); `gram`: 1e9 operations per second. */
  readonly rate: number;
  readonly unit: 'GB/s' | 'Gflop/s';
  /** GB/s of plain reading at the same time; null where reading is not the limit. */
  readonly readLimit: number | null;
  readonly ofReadLimit: number | null;
}

export interface KernelBenchOptions {
  readonly bytes?: number;
  readonly columns?: readonly number[];
  readonly dtypes?: readonly Dtype[];
  readonly passes?: number;
  readonly kernels?: readonly string[];
  readonly report?: (row: KernelRow) => void;
}

const BYTES = 320e6;
const COLUMNS = [16, 50, 100, 300, 1000];
const PASSES = 7;

const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1] as number;

/** Seconds per byte of `calls[i]`, each the median over passes × chunks; all are made for each chunk in turn. */
function secondsPerByte(passes: number, chunks: number, calls: readonly ((chunk: number) => number)[]): number[] {
  const times = calls.map((): number[] => []);
  for (let pass = 0; pass < passes; pass += 1)
    for (let chunk = 0; chunk < chunks; chunk += 1)
      for (const [i, call] of calls.entries()) {
        const start = performance.now();
        const bytes = call(chunk);
        (times[i] as number[]).push((performance.now() - start) / 1000 / bytes);
      }
  return times.map(median);
}

/** GB/s that one thread reads with WebAssembly SIMD loads, out of cache. */
export function readLimit(bytes = BYTES, passes = PASSES): number {
  const memory = newSegment(bytes);
  new Float64Array(memory.buffer).fill(1);
  const read = new WasmInstance(memory).named('readLimit');
  const piece = 4 * 1024 * 1024;
  const call = (chunk: number): number => {
    read(1024 + chunk * piece, piece);
    return piece;
  };
  warmUp(() => call(0));
  return 1e-9 / (secondsPerByte(passes, Math.floor(bytes / piece), [call])[0] as number);
}

/** All chunks of a data set one after the other, and one of everything that the kernels need beside them. */
interface Place {
  readonly kernels: Kernels;
  readonly layout: Layout;
  readonly chunks: readonly { run: PanelRun; y: number; v: number; rows: number }[];
  readonly read: (from: number, bytes: number) => void;
  readonly w: number;
  readonly scratch: number;
  readonly lanes: number;
  readonly accumulators: number;
  readonly sums: number;
}

function place(dtype: Dtype, columns: number, bytes: number): Place {
  const layout = layoutOf({ dtype, rows: Math.ceil(bytes / (columns * bytesPerValue(dtype))), columns });
  const P = panelRows(dtype);
  const chunkRows = layout.chunkRows;
  const chunkBytes = chunkRows * (columns * bytesPerValue(dtype) + 16);
  const memory = newSegment(layout.chunks * chunkBytes + 4096);
  const kernels = wasmKernels(memory, dtype);
  const chunks = Array.from({ length: layout.chunks }, (_, chunk) => {
    const x = 1024 + chunk * chunkBytes;
    const y = x + chunkRows * columns * bytesPerValue(dtype);
    const run = {
      x,
      panelStride: columns * CACHE_LINE_BYTES,
      panels: panelsOfChunk(layout, chunk),
      columns,
      blockColumns: layout.blockColumns,
      firstPanel: 0,
    };
    fill(memory, dtype, x, run.panels * P * columns, run.panels * P, y, y + chunkRows * 8, rowsOfChunk(layout, chunk));
    return { run, y, v: y + chunkRows * 8, rows: run.panels * P };
  });
  const w = growSegment(memory, columns * 8);
  const values = dtype === 'f32' ? new Float32Array(memory.buffer, w, columns) : new Float64Array(memory.buffer, w, columns);
  for (let j = 0; j < columns; j += 1) values[j] = ((j * 7) % 11) / 30 - 0.15;
  return {
    kernels,
    layout,
    chunks,
    read: new WasmInstance(memory).named('readLimit'),
    w,
    scratch: growSegment(memory, chunkRows * 64 + 4096),
    lanes: growSegment(memory, 16 * LANES * 8),
    accumulators: growSegment(memory, columns * ACCUMULATOR_BYTES),
    sums: growSegment(memory, columns * 8),
  };
}

function fill(
  memory: WebAssembly.Memory,
  dtype: Dtype,
  x: number,
  values: number,
  rows: number,
  y: number,
  v: number,
  weighted: number,
): void {
  const data = dtype === 'f32' ? new Float32Array(memory.buffer, x, values) : new Float64Array(memory.buffer, x, values);
  for (let i = 0, state = 1; i < values; i += 1) {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    data[i] = state / 2 ** 30;
  }
  const target = new Float64Array(memory.buffer, y, rows);
  for (let i = 0; i < rows; i += 1) target[i] = i & 1;
  new Float64Array(memory.buffer, v, weighted).fill(1);
}

type Chunk = Place['chunks'][number];
type Call = (p: Place, c: Chunk, loss: KernelLoss) => void;

/** The kernels that read x, by name: one call for one chunk, and the bytes of y, v that it reads for each row. */
const CALLS: Record<string, { losses: readonly (KernelLoss | '')[]; rowBytes: number; call: Call }> = {
  dots: { losses: [''], rowBytes: 0, call: (p, c) => p.kernels.dots(c.run, p.w, p.scratch) },
  update: { losses: [''], rowBytes: 0, call: (p, c) => p.kernels.update(c.run, p.scratch, p.accumulators, p.sums) },
  gradient: {
    losses: ['squared', 'logistic'],
    rowBytes: 16,
    call: (p, { run, y, v }, loss) =>
      p.kernels.gradient(loss, run, p.w, 0.1, { y, v, offset: 0 }, p.scratch, p.lanes, p.accumulators, p.sums),
  },
  curvatureProduct: {
    losses: ['squared', 'logistic'],
    rowBytes: 8,
    call: (p, { run, y, v }, loss) =>
      p.kernels.curvatureProduct(loss, run, p.w, 0.1, p.w, 0.1, { y, v, offset: 0 }, p.scratch, p.lanes, p.accumulators, p.sums),
  },
};

/** Repeats a call until V8 has surely compiled it by its optimising compiler. */
function warmUp(call: () => void): void {
  const start = performance.now();
  while (performance.now() - start < 200) call();
}

function denseRows(dtype: Dtype, columns: number, options: Required<Omit<KernelBenchOptions, 'columns' | 'dtypes'>>): KernelRow[] {
  const p = place(dtype, columns, options.bytes);
  const n = p.layout.chunks;
  const rows: KernelRow[] = [];
  const bytesOf = (chunk: Chunk, rowBytes: number): number => chunk.rows * (columns * bytesPerValue(dtype) + rowBytes);
  const limit = (i: number): number => {
    const chunk = p.chunks[(i + (n >> 1)) % n] as Chunk;
    const bytes = bytesOf(chunk, 0) & ~127;
    p.read(chunk.run.x, bytes);
    return bytes;
  };
  const measure = (kernel: string, loss: KernelLoss | '', rowBytes: number, call: (chunk: Chunk, i: number) => void): void => {
    const timed = (i: number): number => {
      const chunk = p.chunks[i] as Chunk;
      call(chunk, i);
      return bytesOf(chunk, rowBytes);
    };
    warmUp(() => timed(0));
    warmUp(() => limit(0));
    const [reading, computing] = secondsPerByte(options.passes, n, [limit, timed]) as [number, number];
    const row: KernelRow = {
      kernel,
      loss,
      dtype,
      columns,
      rate: 1e-9 / computing,
      unit: 'GB/s',
      readLimit: 1e-9 / reading,
      ofReadLimit: reading / computing,
    };
    rows.push(row);
    options.report(row);
  };
  for (const kernel of options.kernels) {
    const entry = CALLS[kernel];
    for (const loss of entry?.losses ?? [])
      measure(kernel, loss, entry?.rowBytes ?? 0, (chunk) => entry?.call(p, chunk, loss === '' ? 'squared' : loss));
  }
  if (options.kernels.includes(PEER)) measure(PEER, 'squared', 8, plainLoop(p));
  return rows;
}

const PEER = 'plain TypeScript';

/** The peer: squared loss, row-major, a loop that anybody would write. It reads the panels' bytes as if they were rows. */
function plainLoop(p: Place): (chunk: Chunk, i: number) => void {
  const { columns } = p.layout;
  const { buffer } = p.kernels.memory;
  const gradient = new Float64Array(columns);
  const weights = Float64Array.from({ length: columns }, (_, j) => ((j * 7) % 11) / 30 - 0.15);
  const views = p.chunks.map(({ run, y, rows }) => ({
    x: p.layout.dtype === 'f32' ? new Float32Array(buffer, run.x, rows * columns) : new Float64Array(buffer, run.x, rows * columns),
    y: new Float64Array(buffer, y, rows),
  }));
  return (_, i) => {
    const { x, y } = views[i] as (typeof views)[number];
    plainGradient(x, y, weights, 0.1, gradient);
  };
}

function plainGradient(x: Float32Array | Float64Array, y: Float64Array, weights: Float64Array, b: number, gradient: Float64Array): number {
  const columns = weights.length;
  let loss = 0;
  for (let i = 0, at = 0; i < y.length; i += 1, at += columns) {
    let z = b;
    for (let j = 0; j < columns; j += 1) z += x[at + j] * weights[j];
    const d = z - y[i];
    loss += 0.5 * d * d;
    for (let j = 0; j < columns; j += 1) gradient[j] += d * x[at + j];
  }
  return loss;
}

/** Gram matrix of the panels of one chunk, and of 2 panels (what a small sample has of a chunk). */
export function gramRows(dtype: Dtype, columns: number, passes = PASSES): KernelRow[] {
  return [64, 2].map((panels) => {
    const p = place(dtype, columns, panels * columns * CACHE_LINE_BYTES);
    const { memory } = p.kernels;
    const P = panelRows(dtype);
    const groups = growSegment(memory, panels * 4);
    new Uint32Array(memory.buffer, groups, panels).set(Array.from({ length: panels }, (_, i) => i >> 4));
    const c = growSegment(memory, panels * P * 8);
    new Float64Array(memory.buffer, c, panels * P).fill(0.25);
    const sums = growSegment(memory, columns * (columns + 1) * 4);
    const scratch = growSegment(memory, (panels * CACHE_LINE_BYTES + 64) * 8);
    const run: PanelRun = { x: 1024, panelStride: columns * CACHE_LINE_BYTES, panels, columns, blockColumns: columns, firstPanel: 0 };
    const step = 64;
    const call = (): void => {
      for (let a = 0; a < columns; a += step)
        p.kernels.gram(run, c, groups, a, Math.min(a + step, columns), scratch, sums + 4 * a * (a + 1));
    };
    warmUp(call);
    // A multiplication and an addition per row and pair.
    const operations = columns * (columns + 1) * panels * P;
    const timed = (): number => {
      call();
      return operations;
    };
    const rate = 1e-9 / (secondsPerByte(passes, 4, [timed])[0] as number);
    return { kernel: `gram, ${panels} panels`, loss: '', dtype, columns, rate, unit: 'Gflop/s', readLimit: null, ofReadLimit: null };
  });
}

/** All rows of the table. */
export function benchKernels(options: KernelBenchOptions = {}): KernelRow[] {
  const report = options.report ?? (() => undefined);
  const kernels = options.kernels ?? [...Object.keys(CALLS), 'gram', PEER];
  const full = { bytes: options.bytes ?? BYTES, passes: options.passes ?? PASSES, kernels, report };
  const rows: KernelRow[] = [];
  for (const dtype of options.dtypes ?? (['f32', 'f64'] as const)) {
    for (const columns of options.columns ?? COLUMNS) {
      rows.push(...denseRows(dtype, columns, full));
      if (!kernels.includes('gram')) continue;
      const gram = gramRows(dtype, columns, full.passes);
      for (const row of gram) report(row);
      rows.push(...gram);
    }
  }
  return rows;
}

/** `node kernels.mjs [kernel,… [columns,… [f32,f64]]]`: a line per row, then nothing else. */
function main(): void {
  const [kernels, columns, dtypes] = process.argv.slice(2).map((list) => list.split(','));
  benchKernels({
    ...(kernels && kernels[0] !== '' ? { kernels } : {}),
    ...(columns && columns[0] !== '' ? { columns: columns.map(Number) } : {}),
    ...(dtypes ? { dtypes: dtypes as Dtype[] } : {}),
    report: ({ kernel, loss, dtype, columns: n, rate, unit, readLimit: limit, ofReadLimit }) =>
      console.log(
        `${dtype} ${String(n).padStart(5)}  ${`${kernel} ${loss}`.padEnd(28)} ${rate.toFixed(1).padStart(6)} ${unit}  ${ofReadLimit === null ? '' : `${ofReadLimit.toFixed(2)} of ${limit?.toFixed(1)}`}`,
      ),
  });
}

// Bundled into another program, this file is not the one that was called.
if (basename(process.argv[1] ?? '').startsWith('kernels')) main();
