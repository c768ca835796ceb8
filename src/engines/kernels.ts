import { subtractProducts } from '../kernels/cholesky-wasm.ts';
import type { Kernels } from '../kernels/kernels.ts';
import { referenceKernels } from '../kernels/reference.ts';
import { wasmKernels } from '../kernels/wasm.ts';
import type { Dtype } from '../partition/layout.ts';
import { useTrailingUpdate } from '../update/cholesky.ts';

/** The kernels of a name, for a dtype: over any memory. Factors of matrices are made by them, too, from here on. */
export function kernelsFor(name: 'wasm' | 'reference', dtype: Dtype): (memory: WebAssembly.Memory) => Kernels {
  useTrailingUpdate(name === 'reference' ? undefined : subtractProducts);
  const make = name === 'reference' ? referenceKernels : wasmKernels;
  return (memory) => make(memory, dtype);
}

/** What adds the sums that come as messages. */
export { adder } from '../kernels/adder.ts';
