import { growSegment } from '../data/store.ts';
import type { Dtype } from '../partition/layout.ts';
import type { KernelLoss } from './kernels.ts';
import { WASM_BASE64 } from './wasm-bytes.ts';

/** An exported function: addresses and counts as unsigned 32-bit integers, scalars as f64. */
export type WasmFunction = (...values: number[]) => void;

/** Bytes that an instance needs of its own (`assembly/page.ts`). */
const PAGE_BYTES = 8192;

let compiled: WebAssembly.Module | undefined;

/** The kernels' module, compiled once per thread. */
function moduleOf(): WebAssembly.Module {
  compiled ??= new WebAssembly.Module(Buffer.from(WASM_BASE64, 'base64'));
  return compiled;
}

/**
 * The module over a memory that many instances share. It has no data section and allocates nothing; the memory grows by one
 * page for this instance's constants and partial dots.
 */
export class WasmInstance {
  readonly #exports: Record<string, unknown>;

  constructor(memory: WebAssembly.Memory) {
    this.#exports = new WebAssembly.Instance(moduleOf(), { env: { memory } }).exports;
    this.named('initialize')(growSegment(memory, PAGE_BYTES));
  }

  /** An exported function by its whole name. */
  named(name: string): WasmFunction {
    return this.#exports[name] as WasmFunction;
  }

  /** A kernel for a storage type, and for each loss where it has one: `dotsF32`, `gradientF64Logistic`. */
  plain(name: string, dtype: Dtype): WasmFunction {
    return this.named(name + suffix(dtype));
  }

  byLoss(name: string, dtype: Dtype): Readonly<Record<KernelLoss, WasmFunction>> {
    return {
      squared: this.named(`${name}${suffix(dtype)}Squared`),
      logistic: this.named(`${name}${suffix(dtype)}Logistic`),
    };
  }
}

function suffix(dtype: Dtype): string {
  return dtype.toUpperCase();
}
