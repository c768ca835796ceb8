import { applyInverse, type Metric } from '../update/metric.ts';
import { pointOf } from '../update/objective.ts';
import type { Problem } from '../update/optimizer.ts';
import type { Vector } from '../update/pass.ts';
import { isConverged } from '../update/stop.ts';
import { centred, dot, isFiniteVector } from '../update/vectors.ts';
import { type BatchSetup, metricAt, withMeans } from './batch-setup.ts';

/**
 * Judges weights that all ranks have alike at the ends of epochs, by one reading of all rows, as the end of the run does: a strategy
 * whose ranks come together anyhow need not go on when it has converged. The same answer on every rank.
 */
export class EpochJudge {
  readonly #setup: BatchSetup;
  readonly #tolerance: number;
  #epoch: number;
  #known: { readonly problem: Problem; metric: Metric } | undefined;

  /** `tolerance` 0: nothing is judged. `passes`: that were done before, in a run that goes on. */
  constructor(setup: BatchSetup, tolerance: number, passes: number) {
    this.#setup = setup;
    this.#tolerance = tolerance;
    this.#epoch = Math.floor(passes);
  }

  /** Whether an epoch has ended that nobody has judged. All ranks ask at the same passes. */
  isDue(passes: number): boolean {
    if (this.#tolerance === 0 || Math.floor(passes) <= this.#epoch) return false;
    this.#epoch = Math.floor(passes);
    return true;
  }

  async hasConverged(weights: Vector): Promise<boolean> {
    const { evaluator, nullLoss } = this.#setup;
    const vector = centred(weights);
    const problem = this.#known?.problem ?? (await withMeans(this.#setup));
    const [sums] = await evaluator.evaluate({ kind: 'gradient', at: [vector] });
    const { objective, gradient } = pointOf(problem, vector, sums);
    if (!Number.isFinite(objective) || !isFiniteVector(gradient)) return false;
    const meets = (metric: Metric): boolean => {
      const gap = 0.5 * dot(problem.layout, gradient, applyInverse(problem, metric, gradient));
      return isConverged(gap, this.#tolerance, nullLoss, objective);
    };
    const known = this.#known;
    if (known !== undefined && (problem.quadratic || !meets(known.metric))) return meets(known.metric);
    // A metric of other weights does not say "converged" where the curvature changes.
    const { metric } = await metricAt(evaluator, problem, vector);
    this.#known = { problem, metric };
    return meets(metric);
  }
}
