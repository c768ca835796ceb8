import type { Kernels } from '../kernels/kernels.ts';
import { referenceKernels } from '../kernels/reference.ts';
import { wasmKernels } from '../kernels/wasm.ts';
import type { Dtype } from '../partition/layout.ts';

/** The kernels of a name, for a dtype: over any memory. */
export function kernelsFor(name: 'wasm' | 'reference', dtype: Dtype): (memory: WebAssembly.Memory) => Kernels {
  const make = name === 'reference' ? referenceKernels : wasmKernels;
  return (memory) => make(memory, dtype);
}
