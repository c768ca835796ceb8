import { ParagradError } from '../../errors.ts';
import type { ControlWord, Elements, Part, ReduceShape } from '../collective.ts';
import { FIELDS_PER_PART, type Geometry } from '../geometry.ts';

/**
 * Bodies of messages. Parts: f64 little-endian length, leaves, bytes per element, control word, number of parts; per part
 * level, index, begin, end, 1 (there) or 0 (missing); then the values of the parts that are there.
 */
const HEAD = 5;
const NUMBERS_PER_PART = FIELDS_PER_PART + 1;

/** The bytes of numbers, without a copy. */
export function bytesOf(values: Elements): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}

/** Numbers in a body, without a copy. */
export function elementsOf(body: Uint8Array, at: number, count: number, bytesPerElement: number): Elements {
  const { buffer, byteOffset } = body;
  return bytesPerElement === 8 ? new Float64Array(buffer, byteOffset + at, count) : new Float32Array(buffer, byteOffset + at, count);
}

export interface ReceivedParts {
  readonly geometry: Geometry;
  readonly control: ControlWord;
  /** By part; undefined where the node is missing. */
  readonly values: readonly (Elements | undefined)[];
}

/** What a rank has of the elements [begin, end): its parts, cut to that range. A part outside of the vector stays as it is, to be refused. */
export function cutParts(
  shape: ReduceShape,
  bytesPerElement: number,
  parts: readonly Part<Elements>[],
  control: ControlWord,
  begin: number,
  end: number,
): ReceivedParts {
  const fields: number[] = [];
  const values: (Elements | undefined)[] = [];
  for (const part of parts) {
    const isInside = Number.isSafeInteger(part.begin) && part.begin >= 0 && part.begin <= part.end && part.end <= shape.length;
    const from = isInside ? Math.min(Math.max(part.begin, begin), end) : part.begin;
    const to = isInside ? Math.max(from, Math.min(part.end, end)) : part.end;
    fields.push(part.node.level, part.node.index, from, to);
    values.push(isInside ? (part.values?.subarray(from - part.begin, to - part.begin) as Elements | undefined) : undefined);
  }
  const geometry = { length: shape.length, leaves: shape.leaves, bytesPerElement, count: parts.length, fields: Float64Array.from(fields) };
  return { geometry, control, values };
}

/** Parts as pieces of a body, and how many bytes of them are values. */
export function partsBody({ geometry, control, values }: ReceivedParts): { pieces: Uint8Array[]; valueBytes: number } {
  const { length, leaves, bytesPerElement, count, fields } = geometry;
  const numbers = new Float64Array(HEAD + count * NUMBERS_PER_PART);
  numbers.set([length, leaves, bytesPerElement, control, count]);
  const pieces = [bytesOf(numbers)];
  let valueBytes = 0;
  for (const [i, array] of values.entries()) {
    const at = HEAD + i * NUMBERS_PER_PART;
    numbers.set(fields.subarray(i * FIELDS_PER_PART, (i + 1) * FIELDS_PER_PART), at);
    numbers[at + FIELDS_PER_PART] = array === undefined ? 0 : 1;
    if (array === undefined || array.length === 0) continue;
    pieces.push(bytesOf(array));
    valueBytes += array.byteLength;
  }
  return { pieces, valueBytes };
}

/** Reads a body of parts; undefined when it is malformed. */
export function readParts(body: Uint8Array): ReceivedParts | undefined {
  if (body.length < HEAD * 8) return undefined;
  const [length, leaves, bytesPerElement, control, count] = elementsOf(body, 0, HEAD, 8) as unknown as [
    number,
    number,
    number,
    ControlWord,
    number,
  ];
  const valuesAt = (HEAD + count * NUMBERS_PER_PART) * 8;
  if (!(Number.isSafeInteger(count) && count >= 0 && valuesAt <= body.length) || (bytesPerElement !== 4 && bytesPerElement !== 8))
    return undefined;
  const numbers = elementsOf(body, HEAD * 8, count * NUMBERS_PER_PART, 8);
  const fields = new Float64Array(count * FIELDS_PER_PART);
  const values: (Elements | undefined)[] = [];
  let at = valuesAt;
  for (let i = 0; i < count; i += 1) {
    fields.set(numbers.subarray(i * NUMBERS_PER_PART, i * NUMBERS_PER_PART + FIELDS_PER_PART), i * FIELDS_PER_PART);
    const elements = (fields[i * FIELDS_PER_PART + 3] as number) - (fields[i * FIELDS_PER_PART + 2] as number);
    if (numbers[i * NUMBERS_PER_PART + FIELDS_PER_PART] !== 1) {
      values.push(undefined);
      continue;
    }
    if (!(Number.isSafeInteger(elements) && elements >= 0 && at + elements * bytesPerElement <= body.length)) return undefined;
    values.push(elementsOf(body, at, elements, bytesPerElement));
    at += elements * bytesPerElement;
  }
  return at === body.length ? { geometry: { length, leaves, bytesPerElement, count, fields }, control, values } : undefined;
}

export function errorBody(error: ParagradError): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(error));
}

export function readError(body: Uint8Array): ParagradError {
  return ParagradError.from(JSON.parse(new TextDecoder().decode(body)) as Parameters<typeof ParagradError.from>[0]);
}
