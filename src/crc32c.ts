/**
 * CRC-32C (Castagnoli; RFC 3720, appendix B.4), the checksum of storage systems: `node:zlib` has only the older CRC-32. Sixteen
 * bytes a step by tables ("slicing"; Kounavis and Berry 2005), little-endian.
 */
const POLYNOMIAL = 0x82f63b78;
const SLICES = 16;

/** tables[256·k + b]: the checksum of byte b followed by k zero bytes. */
const TABLES = makeTables();

function makeTables(): Int32Array {
  const tables = new Int32Array(256 * SLICES);
  for (let byte = 0; byte < 256; byte += 1) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit += 1) crc = (crc >>> 1) ^ (POLYNOMIAL & -(crc & 1));
    tables[byte] = crc;
  }
  for (let i = 256; i < tables.length; i += 1) {
    const before = tables[i - 256] as number;
    tables[i] = (before >>> 8) ^ (tables[before & 255] as number);
  }
  return tables;
}

/** The checksum of `bytes`, or of what came before (its checksum is `before`) followed by `bytes`. */
export function crc32c(bytes: Uint8Array, before = 0): number {
  let crc = ~before;
  let at = 0;
  for (; at < bytes.length && (bytes.byteOffset + at) % 4 !== 0; at += 1) crc = step(crc, bytes[at] as number);
  const count = Math.floor((bytes.length - at) / 16) * 4;
  // A view must be aligned, even an empty one.
  if (count > 0) crc = sliced(new Int32Array(bytes.buffer, bytes.byteOffset + at, count), crc);
  for (at += count * 4; at < bytes.length; at += 1) crc = step(crc, bytes[at] as number);
  return ~crc >>> 0;
}

function step(crc: number, byte: number): number {
  return (crc >>> 8) ^ (TABLES[(crc ^ byte) & 255] as number);
}

function sliced(words: Int32Array, start: number): number {
  const t = TABLES;
  let crc = start;
  for (let i = 0; i < words.length; i += 4) {
    const a = (words[i] as number) ^ crc;
    const b = words[i + 1] as number;
    const c = words[i + 2] as number;
    const d = words[i + 3] as number;
    crc =
      (t[3840 + (a & 255)] as number) ^
      (t[3584 + ((a >>> 8) & 255)] as number) ^
      (t[3328 + ((a >>> 16) & 255)] as number) ^
      (t[3072 + (a >>> 24)] as number) ^
      (t[2816 + (b & 255)] as number) ^
      (t[2560 + ((b >>> 8) & 255)] as number) ^
      (t[2304 + ((b >>> 16) & 255)] as number) ^
      (t[2048 + (b >>> 24)] as number) ^
      (t[1792 + (c & 255)] as number) ^
      (t[1536 + ((c >>> 8) & 255)] as number) ^
      (t[1280 + ((c >>> 16) & 255)] as number) ^
      (t[1024 + (c >>> 24)] as number) ^
      (t[768 + (d & 255)] as number) ^
      (t[512 + ((d >>> 8) & 255)] as number) ^
      (t[256 + ((d >>> 16) & 255)] as number) ^
      (t[d >>> 24] as number);
  }
  return crc;
}

/** A checksum as it stands in a manifest: eight digits, base 16. */
export function crcText(crc: number): string {
  return crc.toString(16).padStart(8, '0');
}
