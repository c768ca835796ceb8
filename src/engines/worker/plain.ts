import type { Message } from '../../communicate/channel.ts';
import { assert } from '../../errors.ts';

/**
 * Plain data (objects, arrays, texts, numbers of all kinds, typed arrays, undefined) as one body of a message: the length of the
 * JSON as f64, the JSON, then the bytes of all arrays, each at a multiple of 8. Every bit of every number comes back.
 */
const ARRAYS = { f64: Float64Array, f32: Float32Array, u8: Uint8Array, u32: Uint32Array, i32: Int32Array } as const;
type Plain = Float64Array | Float32Array | Uint8Array | Uint32Array | Int32Array;
type ArrayName = keyof typeof ARRAYS;

const ALIGN = 8;
const padded = (bytes: number): number => Math.ceil(bytes / ALIGN) * ALIGN;

function nameOf(array: ArrayBufferView): ArrayName {
  const found = (Object.keys(ARRAYS) as ArrayName[]).find((name) => array instanceof ARRAYS[name]);
  assert(found !== undefined, 'data for another process that are not plain');
  return found;
}

/** The pieces of a body. */
export function encodePlain(value: unknown): Uint8Array[] {
  const arrays: Uint8Array[] = [];
  let at = 0;
  const packed = (item: unknown): unknown => {
    if (ArrayBuffer.isView(item)) {
      const name = nameOf(item);
      arrays.push(new Uint8Array(item.buffer, item.byteOffset, item.byteLength));
      const place = { $array: name, at, length: (item as Plain).length };
      at += padded(item.byteLength);
      return place;
    }
    if (typeof item === 'number' && (!Number.isFinite(item) || Object.is(item, -0)))
      return { $number: Object.is(item, -0) ? '-0' : String(item) };
    if (item === undefined) return { $undefined: 1 };
    if (Array.isArray(item)) return item.map(packed);
    if (typeof item === 'object' && item !== null)
      return Object.fromEntries(Object.entries(item).map(([key, each]) => [key, packed(each)]));
    return item;
  };
  const json = new TextEncoder().encode(JSON.stringify(packed(value)));
  const pieces: Uint8Array[] = [
    new Uint8Array(Float64Array.of(json.length).buffer),
    json,
    new Uint8Array(padded(json.length) - json.length),
  ];
  for (const array of arrays) pieces.push(array, new Uint8Array(padded(array.length) - array.length));
  return pieces;
}

/** The value that was encoded; its arrays are its own. The sender has been authenticated: what it says is taken as it is. */
export function decodePlain<T>({ body }: Pick<Message, 'body'>): T {
  const length = new DataView(body.buffer, body.byteOffset).getFloat64(0, true);
  const first = ALIGN + padded(length);
  const restored = (item: unknown): unknown => {
    if (Array.isArray(item)) return item.map(restored);
    if (typeof item !== 'object' || item === null) return item;
    if ('$array' in item) {
      const { $array, at, length: count } = item as { $array: ArrayName; at: number; length: number } & object;
      const array = new ARRAYS[$array](count);
      new Uint8Array(array.buffer).set(body.subarray(first + at, first + at + array.byteLength));
      return array;
    }
    if ('$number' in item) return Number(item.$number);
    if ('$undefined' in item) return undefined;
    return Object.fromEntries(Object.entries(item).map(([key, each]) => [key, restored(each)]));
  };
  return restored(JSON.parse(new TextDecoder().decode(body.slice(ALIGN, ALIGN + length)))) as T;
}
