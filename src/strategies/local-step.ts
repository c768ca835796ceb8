import type { RuleState } from '../update/batch/rules.ts';
import type { BatchSetup } from './batch-setup.ts';
import type { OwnBatches } from './own-batches.ts';

const scratch = new WeakMap<BatchSetup, Float64Array>();

/** One step on batch `number`, in place, at `factor` times the rate. @returns rows of the batch */
export function localStep(
  setup: BatchSetup,
  batches: OwnBatches,
  number: number,
  local: Float64Array,
  state: RuleState,
  factor: number,
  decay: Float64Array | undefined,
): number {
  const { problem, rule, preconditioner } = setup;
  const { sums, rows } = batches.gradient(number, local, problem.intercept);
  let gradient = scratch.get(setup);
  if (gradient === undefined) {
    gradient = new Float64Array(local.length);
    scratch.set(setup, gradient);
  }
  const divisor = (problem.weightSum * rows) / problem.layout.rows;
  const weights = local.length - (problem.classes ?? 1);
  for (let j = 0; j < local.length; j += 1) gradient[j] = sums[j] / divisor;
  if (!rule.decays) for (let j = 0; j < weights; j += 1) gradient[j] = gradient[j] + problem.l2 * local[j];
  preconditioner.apply(gradient);
  rule.apply(state, local, gradient, setup.rate * factor, decay);
  return rows;
}
