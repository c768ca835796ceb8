import type { Scratch } from '../data/scratch.ts';
import type { Kernels } from '../kernels/kernels.ts';

/** One segment of the data as a rank works on it: the kernels over its memory, and working space at its end. */
export interface Workplace {
  readonly kernels: Kernels;
  readonly scratch: Scratch;
}
