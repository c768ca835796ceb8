import type { ArrayTask, ArrayTaskResult, PackTask } from '../data/array-tasks.ts';
import { rowsOfPackedChunk, runArrayTask } from '../data/array-tasks.ts';
import { type ArrayMoments, type ArraySource, chosenOfBlock, fillRows, wrongValue } from '../data/arrays.ts';
import { Scratch } from '../data/scratch.ts';
import type { Split } from '../data/split.ts';
import { newSegment, type StoredSet, viewsOf } from '../data/store.ts';
import { INGEST_ROWS } from '../data/table.ts';
import { panelRows } from '../partition/layout.ts';
import { WasmInstance } from './instance.ts';

/** A memory with its kernels and working space. */
interface Workplace {
  readonly instance: WasmInstance;
  readonly scratch: Scratch;
}

/** One per memory and thread: memories of finished runs are let go. */
const workplaces = new WeakMap<WebAssembly.Memory, Workplace>();
let own: WebAssembly.Memory | undefined;

function workplaceOf(memory: WebAssembly.Memory): Workplace {
  let place = workplaces.get(memory);
  if (place === undefined) {
    place = { instance: new WasmInstance(memory), scratch: new Scratch(memory) };
    workplaces.set(memory, place);
  }
  return place;
}

/** `runArrayTask` in SIMD: the same bits. */
export function runArrayTaskFast(task: ArrayTask): ArrayTaskResult {
  if (task.kind === 'pack-table') return runArrayTask(task);
  const bytes = task.source.x.BYTES_PER_ELEMENT;
  // A block of rows must fit beside everything else in one memory; wider rows are rare enough for plain TypeScript.
  if (INGEST_ROWS * task.source.columns * bytes > 2 ** 30) return runArrayTask(task);
  if (task.kind === 'moments')
    return Array.from({ length: task.blockEnd - task.blockBegin }, (_, i) => momentsOf(task.source, task.blockBegin + i, task.split));
  const packer = new ChunkPacker(task);
  for (let chunk = task.chunkBegin; chunk < task.chunkEnd; chunk += 1) packer.pack(chunk);
  return [];
}

const suffix = (source: ArraySource): string => (source.x instanceof Float32Array ? 'F32' : 'F64');

/** Copies rows [begin, end) of the source into working space, row after row. */
function copyIn(place: Workplace, source: ArraySource, begin: number, end: number): number {
  const { x, columns } = source;
  const bytes = (end - begin) * columns * x.BYTES_PER_ELEMENT;
  // The kernels take two columns a step: 16 bytes more than the rows must be readable.
  const at = place.scratch.at('source', bytes + 16);
  if (source.layout === 'columns') {
    transposeInto(place, at, source, begin, end);
    return at;
  }
  const from = new Uint8Array(x.buffer, x.byteOffset + begin * columns * x.BYTES_PER_ELEMENT, bytes);
  new Uint8Array(place.scratch.memory.buffer, at, bytes).set(from);
  return at;
}

/** Rows that are written before the next column is read: their lines stay in the cache. */
const TRANSPOSED_ROWS = 64;

function transposeInto(place: Workplace, at: number, { x, rows, columns }: ArraySource, begin: number, end: number): void {
  const { buffer } = place.scratch.memory;
  const length = (end - begin) * columns;
  const out = x instanceof Float32Array ? new Float32Array(buffer, at, length) : new Float64Array(buffer, at, length);
  for (let first = begin; first < end; first += TRANSPOSED_ROWS) {
    const last = Math.min(end, first + TRANSPOSED_ROWS);
    for (let j = 0; j < columns; j += 1) {
      const from = j * rows;
      let to = (first - begin) * columns + j;
      for (let row = first; row < last; row += 1) {
        out[to] = x[from + row] as number;
        to += columns;
      }
    }
  }
}

function momentsOf(source: ArraySource, block: number, split: Split): ArrayMoments | undefined {
  const { rows, count, v, before, share } = chosenOfBlock(source, block, split);
  if (count === 0) return undefined;
  own ??= newSegment(0);
  const place = workplaceOf(own);
  const { scratch, instance } = place;
  const { columns } = source;
  const at = copyIn(place, source, block * INGEST_ROWS, Math.min((block + 1) * INGEST_ROWS, source.rows));
  const rowsAt = scratch.at('rows', count * 4);
  new Int32Array(scratch.memory.buffer, rowsAt, count).set(rows.subarray(0, count));
  const put = (name: string, values: Float64Array): number => {
    const address = scratch.at(name, count * 8);
    scratch.f64(address, count).set(values.subarray(0, count));
    return address;
  };
  const beforeAt = put('before', before);
  const shareAt = put('share', share);
  const padded = columns + (columns % 2);
  const meanAt = scratch.at('mean', padded * 8 + 16);
  const m2At = scratch.at('m2', padded * 8 + 16);
  scratch.f64(meanAt, padded).fill(0);
  scratch.f64(m2At, padded).fill(0);
  instance.named(`moments${suffix(source)}`)(at, columns, rowsAt, count, beforeAt, shareAt, meanAt, m2At);
  const weight = (before[count - 1] as number) + (v[count - 1] as number);
  return { weight, mean: Float64Array.from(scratch.f64(meanAt, columns)), m2: Float64Array.from(scratch.f64(m2At, columns)) };
}

/** Of the kernel that packs. */
const ROWS_AT_A_TIME = 4;

class ChunkPacker {
  readonly #task: PackTask;
  readonly #set: StoredSet;
  readonly #name: string;

  constructor(task: PackTask) {
    this.#task = task;
    this.#set = task.store[task.set];
    this.#name = `pack${suffix(task.source)}${this.#set.layout.dtype.toUpperCase()}`;
  }

  pack(chunk: number): void {
    const { source, encoding, store } = this.#task;
    const { layout } = this.#set;
    const views = viewsOf(store, this.#set, chunk);
    const rows = rowsOfPackedChunk(this.#task, chunk, views.rows);
    fillRows(source, rows, views);
    if (layout.columns === 0) return;
    const place = this.#set.chunks[chunk] as StoredSet['chunks'][number];
    const workplace = workplaceOf(store.segments[place.segment] as WebAssembly.Memory);
    const { scratch, instance } = workplace;
    let first = rows[0] as number;
    let last = first;
    for (const row of rows) {
      if (row < first) first = row;
      if (row > last) last = row;
    }
    const at = copyIn(workplace, source, first, last + 1);
    const rowsAt = scratch.at('rows', rows.length * 4);
    new Uint32Array(scratch.memory.buffer, rowsAt, rows.length).set(rows.map((row) => row - first));
    const columnsAt = scratch.at('columns', layout.columns * 4);
    new Int32Array(scratch.memory.buffer, columnsAt, layout.columns).set(encoding.columns);
    const centersAt = scratch.at('centers', layout.columns * 8);
    scratch.f64(centersAt, layout.columns).set(encoding.centers);
    const scalesAt = scratch.at('scales', layout.columns * 8);
    scratch.f64(scalesAt, layout.columns).set(encoding.scales);
    const pack = instance.named(this.#name) as (...values: number[]) => unknown;
    const check = pack(at, source.columns, rowsAt, rows.length, columnsAt, layout.columns, centersAt, scalesAt, place.x);
    if (check !== 0) throw wrongValue(source, rows, rows.length);
    this.#clearPadding(views.x, rows.length);
  }

  /** The kernel writes rows in fours: what it put behind the last row must be zeros. */
  #clearPadding(x: Float32Array | Float64Array, row: number): void {
    const { columns, dtype } = this.#set.layout;
    const P = panelRows(dtype);
    const from = row % P;
    const to = Math.ceil(from / ROWS_AT_A_TIME) * ROWS_AT_A_TIME;
    for (let j = 0; j < columns; j += 1) x.fill(0, (row - from) * columns + j * P + from, (row - from) * columns + j * P + to);
  }
}
