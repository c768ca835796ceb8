import { crc32c } from '../../crc32c.ts';
import { assert } from '../../errors.ts';
import { type FrameHeader, HEADER_BYTES, writeHeader } from './header.ts';

export interface Frame extends FrameHeader {
  readonly meta: Uint8Array;
  /** Owned by the receiver; its byteOffset is a multiple of 8. */
  readonly body: Uint8Array;
}

const NOTHING = new Uint8Array(0);

/** The bytes before a body: header and meta. */
export function frameHead(header: Omit<FrameHeader, 'metaBytes' | 'metaCrc'>, meta: Uint8Array = NOTHING): Uint8Array {
  const { kind, generation, step, sequence } = header;
  assert(Number.isInteger(kind) && kind >= 0 && kind <= 255, 'kind of a message out of range');
  assert(Number.isInteger(generation) && generation >= 0 && generation < 2 ** 32, 'generation of a message out of range');
  assert(Number.isSafeInteger(step) && step >= 0 && Number.isSafeInteger(sequence), 'step of a message out of range');
  const head = new Uint8Array(HEADER_BYTES + meta.length);
  writeHeader(head, 0, { ...header, metaBytes: meta.length, metaCrc: crc32c(meta) });
  head.set(meta, HEADER_BYTES);
  return head;
}
