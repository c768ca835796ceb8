import type { Kernels } from '../kernels/kernels.ts';
import { referenceKernels } from '../kernels/reference.ts';
import { wasmKernels } from '../kernels/wasm.ts';
import type { TrainingJob } from '../strategies/job.ts';

/** The kernels that a job asks for, over one of its memories. */
export function kernelsOf(job: TrainingJob): (memory: WebAssembly.Memory) => Kernels {
  const make = job.kernels === 'reference' ? referenceKernels : wasmKernels;
  return (memory) => make(memory, job.store.training.layout.dtype);
}
