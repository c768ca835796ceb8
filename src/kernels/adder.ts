import { ADDER_BASE64 } from './wasm-bytes.ts';

/** Bytes of a slot: a few of them stay in the second-level cache, and a call is worth its price. */
const SLOT_BYTES = 16 * 1024;
const PAGE_BYTES = 65_536;

type Add = (a: number, b: number, out: number, count: number) => void;

/**
 * Adds arrays by SIMD in a small memory of its own: operands are copied into *slots* (numbered from 0), added there, and copied
 * out. That memory is not shared, since copies from and to shared memory are slow, and arrays of other memories need no place in it.
 */
export class WasmAdder {
  readonly slotBytes = SLOT_BYTES;
  readonly #memory = new WebAssembly.Memory({ initial: 0 });
  readonly #f32: Add;
  readonly #f64: Add;
  #buffer: ArrayBufferLike = new ArrayBuffer(0);

  constructor() {
    const module = new WebAssembly.Module(Buffer.from(ADDER_BASE64, 'base64'));
    const { addF32, addF64 } = new WebAssembly.Instance(module, { env: { memory: this.#memory } }).exports;
    this.#f32 = addF32 as Add;
    this.#f64 = addF64 as Add;
  }

  /** From now on there are slots 0 … count − 1. Arrays of slots that were handed out before are gone. */
  reserve(count: number): void {
    const missing = count * SLOT_BYTES - this.#memory.buffer.byteLength;
    if (missing <= 0) return;
    this.#memory.grow(Math.ceil(missing / PAGE_BYTES));
    this.#buffer = this.#memory.buffer;
  }

  /** The memory that slots lie in: slot i from byte i · SLOT_BYTES on. */
  get buffer(): ArrayBufferLike {
    return this.#buffer;
  }

  /** Slot `left` = `left` + `right`, the first `count` elements, each rounded to the type. */
  add(bytesPerElement: 4 | 8, left: number, right: number, count: number): void {
    const at = left * SLOT_BYTES;
    if (bytesPerElement === 4) this.#f32(at, right * SLOT_BYTES, at, count);
    else this.#f64(at, right * SLOT_BYTES, at, count);
  }
}

let known: WasmAdder | undefined;

/** The one of this thread. Nobody may keep anything in its slots when others run. */
export function adder(): WasmAdder {
  known ??= new WasmAdder();
  return known;
}
