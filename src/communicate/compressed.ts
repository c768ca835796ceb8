import { assert, ParagradError } from '../errors.ts';
import type { Collective, ControlWord, Elements, Part, ReduceShape, Traffic } from './collective.ts';
import { brokenChannel, wrongTree } from './failures.ts';

/**
 * How gradients are made smaller before they are exchanged. `f32`: they are rounded to f32, and added in f32. `top-k`: each rank
 * sends the share of its coordinates that are largest, and keeps the rest for the next time (error feedback). Both give other bits,
 * which depend on the number of ranks.
 */
export type Compression = { readonly kind: 'f32' } | { readonly kind: 'top-k'; readonly share: number };

const SHARE = /^top-k=(\d+(?:\.\d+)?|\.\d+)(%?)$/u;

/** `f32`, `top-k=1%` or `top-k=0.01`. @throws PARAGRAD_OPTION */
export function parseCompression(text: string): Compression {
  if (text === 'f32') return { kind: 'f32' };
  const [, number, percent] = SHARE.exec(text) ?? [];
  const share = Number(number) / (percent === '%' ? 100 : 1);
  if (share > 0 && share <= 1) return { kind: 'top-k', share };
  const what = `--compress must be f32, or top-k with the share of coordinates that are sent, such as top-k=1%, not '${text}'`;
  throw new ParagradError('PARAGRAD_OPTION', what, { place: { option: '--compress' } });
}

/** Coordinates of `count` that top-k sends. */
export function keptOf(share: number, count: number): number {
  return Math.min(count, Math.max(1, Math.ceil(share * count)));
}

/** Of one coordinate in a message of top-k: its number as u32, its value as f64. */
const INDEX_BYTES = 4;
const VALUE_BYTES = 8;

/** A collective whose all-reduces of gradients (`shape.gradientFrom`) are compressed; everything else passes through it unchanged. */
class CompressedCollective implements Collective {
  readonly #inner: Collective;
  readonly #compression: Compression;
  /** What was not sent yet, by the length of the vector. */
  readonly #rests = new Map<number, Float64Array>();

  constructor(inner: Collective, compression: Compression) {
    this.#inner = inner;
    this.#compression = compression;
  }

  get rank(): number {
    return this.#inner.rank;
  }
  get size(): number {
    return this.#inner.size;
  }
  get generation(): number {
    return this.#inner.generation;
  }
  get step(): number {
    return this.#inner.step;
  }

  async allReduce<E extends Elements>(
    shape: ReduceShape,
    parts: readonly Part<E>[],
    into: E,
    control: ControlWord = 0,
  ): Promise<ControlWord> {
    const { gradientFrom, length, leaves } = shape;
    // One rank exchanges nothing, so there is nothing to make smaller.
    if (gradientFrom === undefined || !(into instanceof Float64Array) || this.size === 1)
      return this.#inner.allReduce(shape, parts, into, control);
    assert(gradientFrom >= 0 && gradientFrom <= length && into.length === length, 'a gradient that lies outside of its vector');
    // Scalars, such as the loss and the number of rows, stay exact.
    const exact = cut(parts as readonly Part[], 0, gradientFrom);
    const word = await this.#inner.allReduce({ length: gradientFrom, leaves }, exact, into.subarray(0, gradientFrom), control);
    const gradient = into.subarray(gradientFrom);
    const own = cut(parts as readonly Part[], gradientFrom, length);
    if (this.#compression.kind === 'f32') await this.#rounded(leaves, own, gradient);
    else await this.#largest(this.#compression.share, own, gradient);
    return word;
  }

  async #rounded(leaves: number, parts: readonly Part[], into: Float64Array): Promise<void> {
    const rounded = parts.map(
      ({ values, ...part }): Part<Float32Array> => ({ ...part, values: values === undefined ? undefined : Float32Array.from(values) }),
    );
    const sums = new Float32Array(into.length);
    await this.#inner.allReduce({ length: into.length, leaves }, rounded, sums);
    into.set(sums);
  }

  async #largest(share: number, parts: readonly Part[], into: Float64Array): Promise<void> {
    const count = into.length;
    if (count === 0) return;
    const rest = this.#rests.get(count) ?? new Float64Array(count);
    this.#rests.set(count, rest);
    for (const { begin, end, values } of parts)
      if (values !== undefined) for (let i = begin; i < end; i += 1) rest[i] = (rest[i] as number) + (values[i - begin] as number);
    const chosen = largest(rest, keptOf(share, count));
    const message = packed(rest, chosen);
    for (const index of chosen) rest[index] = 0;
    into.fill(0);
    // In the order of the ranks on each of them: all have the same bits.
    for (const [rank, body] of (await this.#inner.allGather(message)).entries()) addPacked(body, rank, into);
  }

  allGather(bytes: Uint8Array): Promise<Uint8Array[]> {
    return this.#inner.allGather(bytes);
  }
  broadcast(bytes: Uint8Array | undefined, root: number): Promise<Uint8Array> {
    return this.#inner.broadcast(bytes, root);
  }
  barrier(): Promise<void> {
    return this.#inner.barrier();
  }
  traffic(): Traffic {
    return this.#inner.traffic();
  }
  close(): Promise<void> {
    return this.#inner.close();
  }
}

/** What parts have of the elements [begin, end), counted from `begin`. */
function cut(parts: readonly Part[], begin: number, end: number): Part[] {
  return parts.map((part) => {
    const from = Math.min(Math.max(part.begin, begin), end);
    const to = Math.min(Math.max(part.end, from), end);
    const values = from < to ? part.values?.subarray(from - part.begin, to - part.begin) : new Float64Array(0);
    return { node: part.node, begin: from - begin, end: to - begin, values };
  });
}

/** The `count` coordinates of the largest amounts, ascending; of equal ones the first. A value that is not finite is larger than all. */
export function largest(values: Float64Array, count: number): Uint32Array {
  const amountOf = (i: number): number => {
    const amount = Math.abs(values[i] as number);
    return Number.isNaN(amount) ? Number.POSITIVE_INFINITY : amount;
  };
  const order = Uint32Array.from(values, (_, i) => i).sort((a, b) => {
    const [x, y] = [amountOf(a), amountOf(b)];
    return x === y ? a - b : x < y ? 1 : -1;
  });
  return order.subarray(0, count).sort();
}

function packed(values: Float64Array, chosen: Uint32Array): Uint8Array {
  const bytes = new Uint8Array(chosen.length * (INDEX_BYTES + VALUE_BYTES));
  const view = new DataView(bytes.buffer);
  for (const [i, index] of chosen.entries()) {
    view.setFloat64(i * VALUE_BYTES, values[index] as number, true);
    view.setUint32(chosen.length * VALUE_BYTES + i * INDEX_BYTES, index, true);
  }
  return bytes;
}

function addPacked(body: Uint8Array, rank: number, into: Float64Array): void {
  const count = body.length / (INDEX_BYTES + VALUE_BYTES);
  if (!Number.isInteger(count)) throw brokenChannel(rank, 'the largest coordinates of a gradient are malformed');
  const view = new DataView(body.buffer, body.byteOffset, body.length);
  for (let i = 0; i < count; i += 1) {
    const index = view.getUint32(count * VALUE_BYTES + i * INDEX_BYTES, true);
    if (index >= into.length) throw wrongTree(rank, `coordinate ${index} of a gradient of ${into.length}`);
    into[index] = (into[index] as number) + view.getFloat64(i * VALUE_BYTES, true);
  }
}

/** A collective that compresses gradients on their way; all ranks of the group must do the same. */
export function compressedCollective(inner: Collective, compression: Compression): Collective {
  return new CompressedCollective(inner, compression);
}
