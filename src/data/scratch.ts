import { growSegment } from './store.ts';

/**
 * A rank's working memory in one segment: named buffers at the end of the WebAssembly memory that holds the data, since
 * kernels address one memory. A buffer that must become larger moves; the old place is lost, so sizes are doubled.
 */
export class Scratch {
  readonly memory: WebAssembly.Memory;
  readonly #buffers = new Map<string, { address: number; bytes: number }>();
  #free = { address: 0, bytes: 0 };

  constructor(memory: WebAssembly.Memory) {
    this.memory = memory;
  }

  /** Address (64-byte aligned) of at least `bytes` bytes; content is kept between calls of the same or a smaller size. */
  at(name: string, bytes: number): number {
    const known = this.#buffers.get(name);
    if (known !== undefined && known.bytes >= bytes) return known.address;
    const wanted = Math.ceil(Math.max(bytes, known === undefined ? 64 : known.bytes * 2) / 64) * 64;
    if (this.#free.bytes < wanted) this.#free = { address: growSegment(this.memory, wanted), bytes: Math.ceil(wanted / 65_536) * 65_536 };
    const buffer = { address: this.#free.address, bytes: wanted };
    this.#free = { address: buffer.address + wanted, bytes: this.#free.bytes - wanted };
    this.#buffers.set(name, buffer);
    return buffer.address;
  }

  f64(address: number, length: number): Float64Array<SharedArrayBuffer> {
    return new Float64Array(this.memory.buffer, address, length);
  }
}
