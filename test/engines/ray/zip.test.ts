import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type ZipFile, zip } from '../../../src/engines/ray/zip.ts';

/** Reads an archive by its directory alone, as unzippers do. */
function unzip(bytes: Uint8Array): ZipFile[] {
  const view = Buffer.from(bytes);
  const end = view.length - 22;
  expect(view.readUInt32LE(end)).toBe(0x06054b50);
  let at = view.readUInt32LE(end + 16);
  expect(at + view.readUInt32LE(end + 12)).toBe(end);
  return Array.from({ length: view.readUInt16LE(end + 10) }, () => {
    expect(view.readUInt32LE(at)).toBe(0x02014b50);
    const size = view.readUInt32LE(at + 24);
    const nameBytes = view.readUInt16LE(at + 28);
    const local = view.readUInt32LE(at + 42);
    const path = view.toString('utf8', at + 46, at + 46 + nameBytes);
    expect(view.readUInt32LE(local)).toBe(0x04034b50);
    // Both headers say the same, from version to lengths.
    expect(view.subarray(local + 4, local + 30)).toEqual(view.subarray(at + 6, at + 32));
    const data = local + 30 + view.readUInt16LE(local + 26) + view.readUInt16LE(local + 28);
    const content = view.subarray(data, data + size);
    expect(view.readUInt32LE(at + 16)).toBe(crc32(content));
    at += 46 + nameBytes;
    return { path, bytes: new Uint8Array(content) };
  });
}

describe('a zip archive', () => {
  it('gives back what was put in, and the same bytes again', () => {
    const file = fc.record({ path: fc.string({ minLength: 1, unit: 'grapheme' }), bytes: fc.uint8Array({ maxLength: 300 }) });
    fc.assert(
      fc.property(fc.array(file, { maxLength: 5 }), (files) => {
        const made = zip(files);
        expect(unzip(made)).toEqual(files.map(({ path, bytes }) => ({ path, bytes: new Uint8Array(bytes) })));
        expect(zip(files)).toEqual(made);
      }),
      { numRuns: 50 },
    );
  });
});
