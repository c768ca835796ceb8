import type { Elements, Part, ReduceShape } from './collective.ts';
import { wrongTree } from './failures.ts';

/**
 * Where a rank's parts lie, without their values: what all ranks must know of each other to add a tree. It is the same
 * in most steps, so it is compared, not rebuilt: equal geometries of a rank are one object, and that object is the key of
 * everything derived from it.
 */
export interface Geometry {
  readonly length: number;
  readonly leaves: number;
  readonly bytesPerElement: number;
  /** Parts. */
  readonly count: number;
  /** level, index, begin, end of every part. */
  readonly fields: Float64Array;
}

export const FIELDS_PER_PART = 4;
/** Geometries that are remembered per rank. A run uses a handful; the oldest is forgotten. */
export const GEOMETRIES_KEPT = 64;

export function geometryOf(shape: ReduceShape, bytesPerElement: number, parts: readonly Part<Elements>[]): Geometry {
  const fields = new Float64Array(parts.length * FIELDS_PER_PART);
  for (const [i, { node, begin, end }] of parts.entries()) fields.set([node.level, node.index, begin, end], i * FIELDS_PER_PART);
  return { length: shape.length, leaves: shape.leaves, bytesPerElement, count: parts.length, fields };
}

/** A geometry in numbers, for those who have not seen it. */
export function descriptionOf({ length, leaves, bytesPerElement, fields }: Geometry): Float64Array {
  return Float64Array.of(length, leaves, bytesPerElement, ...fields);
}

/** What `descriptionOf` tells. */
export function describedGeometry(numbers: Float64Array): Geometry {
  const [length, leaves, bytesPerElement] = numbers as unknown as [number, number, number];
  const fields = numbers.slice(3);
  return { length, leaves, bytesPerElement, count: fields.length / FIELDS_PER_PART, fields };
}

function isOf(geometry: Geometry, shape: ReduceShape, bytesPerElement: number, parts: readonly Part<Elements>[]): boolean {
  if (geometry.count !== parts.length || geometry.length !== shape.length) return false;
  if (geometry.leaves !== shape.leaves || geometry.bytesPerElement !== bytesPerElement) return false;
  const { fields } = geometry;
  for (let i = 0, at = 0; i < parts.length; i += 1, at += FIELDS_PER_PART) {
    const part = parts[i] as Part<Elements>;
    if (fields[at] !== part.node.level || fields[at + 1] !== part.node.index) return false;
    if (fields[at + 2] !== part.begin || fields[at + 3] !== part.end) return false;
  }
  return true;
}

function areEqual(a: Geometry, b: Geometry): boolean {
  if (a.count !== b.count || a.length !== b.length || a.leaves !== b.leaves || a.bytesPerElement !== b.bytesPerElement) return false;
  for (let i = 0; i < a.fields.length; i += 1) if (a.fields[i] !== b.fields[i]) return false;
  return true;
}

/** The geometries of one rank, numbered; the numbers are reused in turn. */
export class GeometryBook {
  readonly #known: Geometry[] = [];
  #next = 0;
  #last = 0;

  /** Number of the geometry of these parts; -1 when it is not in the book. Allocates nothing. */
  find(shape: ReduceShape, bytesPerElement: number, parts: readonly Part<Elements>[]): number {
    const known = this.#known;
    for (let i = 0; i < known.length; i += 1) {
      const id = (this.#last + i) % known.length;
      if (isOf(known[id] as Geometry, shape, bytesPerElement, parts)) {
        this.#last = id;
        return id;
      }
    }
    return -1;
  }

  get(id: number): Geometry | undefined {
    return this.#known[id];
  }

  /** Adds a geometry under the next number. */
  add(geometry: Geometry): Geometry {
    this.#known[this.#next] = geometry;
    this.#next = (this.#next + 1) % GEOMETRIES_KEPT;
    return geometry;
  }

  /** The object that stands for all geometries equal to this one. */
  intern(geometry: Geometry): Geometry {
    return this.#known.find((known) => areEqual(known, geometry)) ?? this.add(geometry);
  }
}

/**
 * Checks that a rank's values are what their description says.
 *
 * @throws PARAGRAD_TREE; all ranks must hear of it, or they would wait.
 */
export function checkValues(rank: number, shape: ReduceShape, parts: readonly Part<Elements>[], into: Elements): void {
  if (into.length !== shape.length) throw wrongTree(rank, `the result has room for ${into.length} elements, not ${shape.length}`);
  for (const { node, begin, end, values } of parts) {
    if (values === undefined) continue;
    if (values.length === end - begin && values.BYTES_PER_ELEMENT === into.BYTES_PER_ELEMENT) continue;
    const bits = (e: Elements): string => `f${e.BYTES_PER_ELEMENT * 8}`;
    const text = `node (${node.level}, ${node.index}) for elements [${begin}, ${end}) of ${bits(into)} came with ${values.length} values of ${bits(values)}`;
    throw wrongTree(rank, text);
  }
}
