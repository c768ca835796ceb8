import { crc32 } from 'node:zlib';
import { ParagradError } from '../../errors.ts';

/** A file of an archive. The path is relative, with slashes. */
export interface ZipFile {
  readonly path: string;
  readonly bytes: Uint8Array;
}

const LOCAL = 0x04034b50;
const CENTRAL = 0x02014b50;
const END = 0x06054b50;
/** No compression: kernels and encoded data gain little, and a package is sent once. */
const VERSION = 20;
const UTF8 = 0x0800;
/** 1980-01-01, the first day of the format: the same files give the same bytes, so the same package. */
const DATE = 0x21;
/** rw-r--r-- of a regular file. */
const MODE = 0o100644;

/**
 * A zip archive of files as they are (PKWARE APPNOTE 6.3, method 0). Same files, same bytes.
 *
 * @throws PARAGRAD_RAY_PACKAGE for 4 GiB and more, which this form of the format cannot hold
 */
export function zip(files: readonly ZipFile[]): Uint8Array<ArrayBuffer> {
  const pieces: Uint8Array[] = [];
  const directory: Uint8Array[] = [];
  let at = 0;
  const push = (piece: Uint8Array): void => {
    pieces.push(piece);
    at += piece.length;
  };
  for (const { path, bytes } of files) {
    const name = new TextEncoder().encode(path);
    if (at + bytes.length + name.length + 30 > 0xffff_ffff || files.length > 0xffff)
      throw new ParagradError('PARAGRAD_RAY_PACKAGE', `a package for the cluster must stay below 4 GiB: ${path} is too much`);
    const offset = at;
    const common = u16(VERSION, UTF8, 0, 0, DATE).concat(u32(crc32(bytes), bytes.length, bytes.length), u16(name.length, 0));
    push(Uint8Array.from([...u32(LOCAL), ...common]));
    push(name);
    push(bytes);
    // Made on Unix (3), so that the mode below counts.
    directory.push(
      Uint8Array.from([...u32(CENTRAL), ...u16((3 << 8) | VERSION), ...common, ...u16(0, 0, 0), ...u32((MODE << 16) >>> 0, offset)]),
      name,
    );
  }
  const start = at;
  for (const piece of directory) push(piece);
  push(Uint8Array.from([...u32(END), ...u16(0, 0, files.length, files.length), ...u32(at - start, start), ...u16(0)]));
  const all = new Uint8Array(at);
  let to = 0;
  for (const piece of pieces) {
    all.set(piece, to);
    to += piece.length;
  }
  return all;
}

const u16 = (...values: number[]): number[] => values.flatMap((value) => [value & 0xff, (value >>> 8) & 0xff]);
const u32 = (...values: number[]): number[] => values.flatMap((value) => [...u16(value & 0xffff), ...u16(value >>> 16)]);
