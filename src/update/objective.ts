import type { Problem, Progress } from './optimizer.ts';
import type { CurvatureSums, GradientSums, Vector } from './pass.ts';
import { centred, copyOf, divideAndPenalise, dotWeights, norm, sameVector, vectorOf } from './vectors.ts';

/**
 * From raw sums over all training rows to the objective Σ v·loss / V + (l2/2)·‖w‖² and its derivatives (docs/numerics.md §1,
 * §5). The intercept is not penalised; where none is fitted its derivatives are 0.
 */
export interface Point {
  readonly vector: Vector;
  readonly objective: number;
  readonly gradient: Vector;
}

/** Objective at `vector`, from Σ v·loss there. */
export function objectiveOf(problem: Problem, vector: Vector, loss: number): number {
  const penalty = (problem.l2 / 2) * dotWeights(problem.layout, vector.weights, vector.weights);
  return loss / problem.weightSum + penalty;
}

/** Objective and gradient at `vector`, from the sums there. */
export function pointOf(problem: Problem, vector: Vector, sums: GradientSums): Point {
  return {
    vector: copyOf(vector),
    objective: objectiveOf(problem, vector, sums.loss),
    gradient: centred(divideAndPenalise(rawOf(problem, sums), problem.weightSum, problem.l2, vector)),
  };
}

/** pᵀHp and H·p for a direction p (whose intercept is 0 where none is fitted), from the sums of a curvature pass. */
export function curvatureOf(problem: Problem, direction: Vector, sums: CurvatureSums): { quadratic: number; product: Vector } {
  return {
    quadratic: sums.quadratic / problem.weightSum + problem.l2 * dotWeights(problem.layout, direction.weights, direction.weights),
    product: centred(divideAndPenalise(rawOf(problem, sums), problem.weightSum, problem.l2, direction)),
  };
}

/** The sums as a vector, without those of intercepts where none are fitted. */
function rawOf({ intercept }: Problem, sums: GradientSums | CurvatureSums): Vector {
  if (intercept) return vectorOf(sums.columns, sums.intercept, sums.others);
  return vectorOf(
    sums.columns,
    0,
    sums.others?.map(() => 0),
  );
}

/** The vectors of the first gradient pass: the start, and the null model where that is another. */
export function startingPoints(problem: Problem): Vector[] {
  return sameVector(problem.start, problem.nullModel) ? [problem.start] : [problem.start, problem.nullModel];
}

/** Objective of the null model, from the first gradient pass. */
export function nullLossOf(problem: Problem, start: Point, sums: readonly GradientSums[]): number {
  return sums.length > 1 ? objectiveOf(problem, problem.nullModel, sums[1].loss) : start.objective;
}

/** What is known of a state's point. */
export function progressOf(
  state: Pick<Progress, 'iteration' | 'passes' | 'nullLoss' | 'gap'> & { readonly problem: Problem; readonly point: Point | undefined },
): Progress {
  const { iteration, passes, nullLoss, gap, problem, point } = state;
  const gradientNorm = point === undefined ? NaN : norm(problem.layout, point.gradient);
  return { iteration, passes, objective: point?.objective ?? NaN, nullLoss, gap, gradientNorm };
}
