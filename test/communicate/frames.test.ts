import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { FrameDecoder } from '../../src/communicate/frames/decoder.ts';
import { type Frame, frameHead } from '../../src/communicate/frames/frame.ts';
import { type FrameLimits, HEADER_BYTES, readHeader, TYPE, writeHeader } from '../../src/communicate/frames/header.ts';
import { readMeta, writeMeta } from '../../src/communicate/frames/meta.ts';
import { crc32c } from '../../src/crc32c.ts';
import { withVersion } from './raw.ts';

const LIMITS: FrameLimits = { metaBytes: 100, bodyBytes: 1000 };
const BAD = expect.objectContaining({ code: 'PARAGRAD_FRAME' });

interface Sent {
  readonly header: Parameters<typeof frameHead>[0];
  readonly meta: Uint8Array;
  readonly body: Uint8Array;
}

const sent: fc.Arbitrary<Sent> = fc
  .record({
    type: fc.constantFrom(...Object.values(TYPE)),
    kind: fc.nat(255),
    generation: fc.nat(2 ** 32 - 1),
    step: fc.maxSafeNat(),
    sequence: fc.maxSafeNat(),
    meta: fc.uint8Array({ maxLength: LIMITS.metaBytes }),
    body: fc.uint8Array({ maxLength: 300 }),
  })
  .map(({ meta, body, ...header }) => ({ header: { ...header, bodyBytes: body.length }, meta, body }));

function bytesOf(frames: readonly Sent[]): Buffer {
  return Buffer.concat(frames.flatMap(({ header, meta, body }) => [frameHead(header, meta), body]));
}

/** What a decoder makes of bytes that come in pieces of these lengths, in turn. */
function decoded(bytes: Uint8Array, lengths: readonly number[], limits = LIMITS): Frame[] {
  const frames: Frame[] = [];
  const decoder = new FrameDecoder(limits, (frame) => frames.push(frame));
  for (let at = 0, i = 0; at < bytes.length; i += 1) {
    const length = lengths[i % lengths.length] as number;
    // A copy that is overwritten at once: the decoder must keep nothing of what is not its own.
    const piece = bytes.slice(at, at + length);
    decoder.push(piece);
    piece.fill(0xee);
    at += length;
  }
  decoder.end();
  return frames;
}

const pieces = fc.array(fc.oneof(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 500 })), { minLength: 1, maxLength: 8 });

describe('frames', () => {
  test('have the layout that is written down', () => {
    const head = frameHead(
      { type: TYPE.message, kind: 3, generation: 0x01020304, step: 2 ** 40 + 5, sequence: 7, bodyBytes: 9 },
      Uint8Array.of(1, 2),
    );
    const fixed = ['50475244', '0100', '01', '03', '04030201', '02000000', '0500000000010000', '0700000000000000', '0900000000000000'];
    expect(Buffer.from(head.subarray(0, 40)).toString('hex')).toBe(fixed.join(''));
    const view = new DataView(head.buffer);
    expect(view.getUint32(40, true)).toBe(crc32c(Uint8Array.of(1, 2)));
    expect(view.getUint32(44, true)).toBe(crc32c(head.subarray(0, 44)));
    expect([...head.subarray(48)]).toEqual([1, 2]);
  });

  test('come out as they went in, whatever the pieces', () => {
    const property = fc.property(fc.array(sent, { maxLength: 5 }), pieces, (list, lengths) => {
      const frames = decoded(bytesOf(list), lengths);
      expect(frames.length).toBe(list.length);
      for (const [i, { header, meta, body }] of list.entries()) {
        const frame = frames[i] as Frame;
        expect(frame).toMatchObject(header);
        expect(Buffer.compare(frame.meta, meta)).toBe(0);
        expect(Buffer.compare(frame.body, body)).toBe(0);
        expect(frame.body.byteOffset % 8).toBe(0);
      }
    });
    fc.assert(property, { numRuns: 300 });
  });

  test('cut off anywhere are an error at the end of the stream, and only there', () => {
    const property = fc.property(fc.array(sent, { maxLength: 3 }), sent, fc.nat(), pieces, (list, last, cut, lengths) => {
      const before = bytesOf(list);
      const whole = bytesOf([last]);
      const bytes = Buffer.concat([before, whole.subarray(0, 1 + (cut % (whole.length - 1)))]);
      const frames: Frame[] = [];
      const decoder = new FrameDecoder(LIMITS, (frame) => frames.push(frame));
      for (let at = 0; at < bytes.length; at += lengths[0] as number) decoder.push(bytes.subarray(at, at + (lengths[0] as number)));
      expect(frames.length).toBe(list.length);
      expect(() => decoder.end()).toThrow(BAD);
    });
    fc.assert(property, { numRuns: 300 });
  });

  test('with one to three bits flipped in header or meta are refused, and nothing after them is read', () => {
    const flips = fc.uniqueArray(fc.nat(), { minLength: 1, maxLength: 3 });
    const property = fc.property(fc.array(sent, { maxLength: 2 }), sent, sent, flips, pieces, (list, hit, next, bits, lengths) => {
      const before = bytesOf(list);
      const damaged = bytesOf([hit]);
      const covered = (HEADER_BYTES + hit.meta.length) * 8;
      const flipped = new Set(bits.map((bit) => bit % covered));
      for (const bit of flipped) damaged[bit >> 3] = (damaged[bit >> 3] as number) ^ (1 << (bit & 7));
      const frames: Frame[] = [];
      const decoder = new FrameDecoder(LIMITS, (frame) => frames.push(frame));
      const bytes = Buffer.concat([before, damaged, bytesOf([next])]);
      expect(() => {
        for (let at = 0; at < bytes.length; at += lengths[0] as number) decoder.push(bytes.subarray(at, at + (lengths[0] as number)));
      }).toThrow(BAD);
      expect(frames.length).toBe(list.length);
      expect(() => decoder.push(bytesOf([next]))).toThrow(BAD);
      expect(frames.length).toBe(list.length);
    });
    fc.assert(property, { numRuns: 500 });
  });

  test('foreign bytes are refused as soon as they differ', () => {
    const foreign = fc.uint8Array({ minLength: 1, maxLength: 200 }).filter((bytes) => bytes[0] !== 0x50);
    fc.assert(
      fc.property(foreign, pieces, (bytes, lengths) => {
        expect(() => decoded(bytes, lengths)).toThrow(BAD);
      }),
    );
    for (const text of ['GET / HTTP/1.1\r\n\r\n', 'SSH-2.0-scan\r\n', '\x16\x03\x01\x02\x00\x01', 'PGR', '\0'])
      expect(() => decoded(new TextEncoder().encode(text), [3])).toThrow(BAD);
  });

  test('any bytes behind the magic number: an error or frames, never anything else', () => {
    const property = fc.property(fc.uint8Array({ maxLength: 400 }), pieces, (tail, lengths) => {
      expect(() => decoded(Buffer.concat([Buffer.from('PGRD'), tail]), lengths)).toThrow(BAD);
    });
    fc.assert(property, { numRuns: 300 });
  });

  test('too large are refused by their header, before there is memory for them', () => {
    const header = { type: TYPE.message, kind: 0, generation: 0, step: 0, sequence: 0, metaCrc: 0 } as const;
    const sizes = [
      { metaBytes: 0, bodyBytes: LIMITS.bodyBytes + 1 },
      { metaBytes: LIMITS.metaBytes + 1, bodyBytes: 0 },
      { metaBytes: 2 ** 32 - 1, bodyBytes: 0 },
      { metaBytes: 0, bodyBytes: 2 ** 53 - 1 },
    ];
    for (const size of sizes) {
      const bytes = new Uint8Array(HEADER_BYTES);
      writeHeader(bytes, 0, { ...header, ...size });
      expect(() => decoded(bytes, [48])).toThrow(BAD);
    }
    const before = process.memoryUsage().arrayBuffers;
    for (let i = 0; i < 1000; i += 1) {
      const bytes = new Uint8Array(HEADER_BYTES);
      writeHeader(bytes, 0, { ...header, metaBytes: 0, bodyBytes: 2 ** 31 });
      expect(() => decoded(bytes, [48])).toThrow(BAD);
    }
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(2 ** 24);
  });

  test('that no memory is found for are refused', () => {
    const bytes = new Uint8Array(HEADER_BYTES);
    writeHeader(bytes, 0, {
      type: TYPE.message,
      kind: 0,
      generation: 0,
      step: 0,
      sequence: 0,
      metaBytes: 0,
      metaCrc: 0,
      bodyBytes: 2 ** 50,
    });
    expect(() => decoded(bytes, [48], { metaBytes: 0, bodyBytes: Number.MAX_SAFE_INTEGER })).toThrow(BAD);
  });

  test('of another version say so', () => {
    const head = frameHead({ type: TYPE.hello, kind: 0, generation: 0, step: 0, sequence: 0, bodyBytes: 0 });
    expect(readHeader(head, 0, LIMITS).type).toBe(TYPE.hello);
    expect(() => decoded(withVersion(head, 0), [48])).toThrow(/version 0 of the protocol, this one version 1/);
  });
});

const FIELDS = { name: { type: 'text' }, count: { type: 'whole' }, rank: { type: 'whole', optional: true } } as const;

describe('metas', () => {
  test('are read as they were written', () => {
    const value = fc.record({
      name: fc.string({ maxLength: 1000 }),
      count: fc.maxSafeNat(),
      rank: fc.option(fc.nat(), { nil: undefined }),
    });
    fc.assert(
      fc.property(value, (meta) => {
        expect(readMeta(writeMeta(meta), FIELDS)).toEqual(JSON.parse(JSON.stringify(meta)));
      }),
    );
  });

  test('of any other bytes or JSON are refused', () => {
    fc.assert(
      fc.property(fc.json(), (json) => {
        expect(() => readMeta(new TextEncoder().encode(json), FIELDS)).toThrow(BAD);
      }),
    );
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        expect(() => readMeta(bytes, FIELDS)).toThrow(BAD);
      }),
    );
    const wrong: unknown[] = [
      { name: 'a' },
      { name: 'a', count: -1 },
      { name: 'a', count: 1.5 },
      { name: 'a', count: '1' },
      { name: 'a', count: 2 ** 53 },
      { name: 'a'.repeat(1001), count: 1 },
      { name: 'a', count: 1, rank: null },
      { name: 'a', count: 1, more: 1 },
      [],
    ];
    for (const value of wrong) expect(() => readMeta(new TextEncoder().encode(JSON.stringify(value)), FIELDS)).toThrow(BAD);
    expect(() => readMeta(new TextEncoder().encode('{"name":"a","count":1,"__proto__":{"rank":1}}'), FIELDS)).toThrow(BAD);
  });
});
