import { assert } from '../../errors.ts';
import type { Elements, Part } from '../collective.ts';
import { FIELDS_PER_PART, type Geometry } from '../geometry.ts';
import { copy, type Sources, sourcesFor } from '../reduce.ts';
import type { Schedule } from '../schedule.ts';
import type { Slab } from './memory.ts';

/**
 * Where values lie in the slabs. A *window* is a range of elements that is added in one go; a slab holds one flag byte per
 * part of its rank (1: the node is there, 0: missing), padded to 8 bytes, then the parts' elements in the window, one part
 * after the other. A missing node's place stays empty: places depend on geometry alone.
 */
function flagBytes(parts: number): number {
  return Math.max(8, Math.ceil(parts / 8) * 8);
}

/**
 * Writes the elements [begin, end) of a rank's parts to its slab, `width` bytes each. Returns the bytes of values written;
 * -1, with nothing written, when they do not fit.
 */
export function writeParts(slab: Slab, parts: readonly Part<Elements>[], begin: number, end: number, width: number): number {
  const flags = flagBytes(parts.length);
  let elements = 0;
  for (const part of parts) elements += Math.max(0, Math.min(part.end, end) - Math.max(part.begin, begin));
  if (flags + elements * width > slab.bytes.length) return -1;
  const target = width === 8 ? slab.f64 : slab.f32;
  let at = flags / width;
  let written = 0;
  for (let i = 0; i < parts.length; i += 1) {
    const part = parts[i] as Part<Elements>;
    const from = Math.max(part.begin, begin);
    const count = Math.max(0, Math.min(part.end, end) - from);
    slab.bytes[i] = part.values === undefined ? 0 : 1;
    if (part.values !== undefined && count > 0) {
      copy(target, at, part.values, from - part.begin, count);
      written += count * width;
    }
    at += count;
  }
  return written;
}

/** A schedule with the places of its parts' values in the last window that was looked at. */
export interface Placement {
  readonly schedule: Schedule;
  readonly sources: Sources;
  begin: number;
  end: number;
}

export function placementOf(known: WeakMap<object, Placement>, schedule: Schedule): Placement {
  let placement = known.get(schedule);
  if (placement === undefined) {
    placement = { schedule, sources: sourcesFor(schedule), begin: -1, end: -1 };
    known.set(schedule, placement);
  }
  return placement;
}

/** Points the sources at the slabs of a turn, written by `writeParts` for the window [begin, end). */
export function place(placement: Placement, begin: number, end: number, slabs: readonly (readonly [Slab, Slab])[], parity: number): void {
  const { schedule, sources } = placement;
  if (placement.begin !== begin || placement.end !== end) {
    placeWindow(schedule, sources.offsets, begin, end);
    placement.begin = begin;
    placement.end = end;
  }
  for (let rank = 0; rank < slabs.length; rank += 1) {
    const slab = (slabs[rank] as readonly [Slab, Slab])[parity] as Slab;
    const values = (schedule.geometries[rank] as Geometry).bytesPerElement === 8 ? slab.f64 : slab.f32;
    const first = schedule.firstPart[rank] as number;
    const count = (schedule.firstPart[rank + 1] as number) - first;
    for (let i = 0; i < count; i += 1) sources.arrays[first + i] = slab.bytes[i] === 1 ? values : undefined;
  }
}

function placeWindow(schedule: Schedule, offsets: Float64Array, begin: number, end: number): void {
  let part = 0;
  for (const { count, fields, bytesPerElement } of schedule.geometries) {
    let at = flagBytes(count) / bytesPerElement;
    for (let i = 0; i < count; i += 1, part += 1) {
      const from = Math.max(fields[i * FIELDS_PER_PART + 2] as number, begin);
      const to = Math.min(fields[i * FIELDS_PER_PART + 3] as number, end);
      offsets[part] = at - from;
      at += Math.max(0, to - from);
    }
  }
}

/** End of the largest window from `begin` on that fits into every rank's slab: the same on every rank. */
export function windowEnd(schedule: Schedule, begin: number, slabBytes: number): number {
  const width = (schedule.geometries[0] as Geometry).bytesPerElement;
  const room = schedule.geometries.map(({ count }) => Math.floor((slabBytes - flagBytes(count)) / width));
  let end = begin;
  for (const span of schedule.spans) {
    if (span.end <= end) continue;
    let fits = span.end - end;
    for (let rank = 0; rank < room.length; rank += 1) {
      const parts = span.partsOfRank[rank] as number;
      if (parts > 0) fits = Math.min(fits, Math.max(0, Math.floor((room[rank] as number) / parts)));
    }
    for (let rank = 0; rank < room.length; rank += 1) room[rank] = (room[rank] as number) - fits * (span.partsOfRank[rank] as number);
    const whole = end + fits === span.end;
    end += fits;
    if (!whole) break;
  }
  assert(end > begin, `a slab of ${slabBytes} bytes cannot hold one element of every tree node of its rank`);
  return end;
}
