import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { crc32c, crcText } from '../../src/crc32c.ts';

/** One bit at a time: the definition. */
function plain(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit += 1) crc = (crc >>> 1) ^ ((crc & 1) === 1 ? 0x82f63b78 : 0);
  }
  return ~crc >>> 0;
}

describe('CRC-32C', () => {
  it.each([
    ['32 zeros', new Uint8Array(32), '8a9136aa'],
    ['32 times 255', new Uint8Array(32).fill(255), '62a8ab43'],
    ['0 to 31', Uint8Array.from({ length: 32 }, (_, i) => i), '46dd794e'],
    ['31 to 0', Uint8Array.from({ length: 32 }, (_, i) => 31 - i), '113fdb5c'],
    ['123456789', new TextEncoder().encode('123456789'), 'e3069283'],
    ['nothing', new Uint8Array(0), '00000000'],
  ])('of %s (RFC 3720)', (_, bytes, wanted) => {
    expect(crcText(crc32c(bytes))).toBe(wanted);
  });

  it('is the plain one at every length and alignment, and goes on where another ended', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), fc.nat(7), fc.nat(100), (bytes, shift, cut) => {
        const memory = new Uint8Array(new SharedArrayBuffer(bytes.length + shift));
        memory.set(bytes, shift);
        const moved = memory.subarray(shift);
        expect(crc32c(moved)).toBe(plain(bytes));
        const at = Math.min(cut, bytes.length);
        expect(crc32c(moved.subarray(at), crc32c(moved.subarray(0, at)))).toBe(plain(bytes));
      }),
    );
  });
});
