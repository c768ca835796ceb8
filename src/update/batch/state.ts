import { coordinateCount, coordinatesOf } from '../coordinates.ts';
import { type MetricState, NO_METRIC } from '../metric-keeper.ts';
import type { Point } from '../objective.ts';
import type { Problem } from '../optimizer.ts';
import type { Best } from '../stop.ts';
import type { RuleState, UpdateRule } from './rules.ts';

export interface MiniBatchMethod {
  readonly name: string;
  readonly rule: UpdateRule;
  /** Momentum of the rule: the automatic rate is multiplied with 1 − momentum. */
  readonly momentum: number;
  /** SVRG: gradients are corrected by those at the last epoch's end. */
  readonly reducesVariance: boolean;
}

export interface MiniBatchState {
  readonly problem: Problem;
  metric: MetricState;
  /** The last point that all rows judged: where the epoch began. */
  point: Point | undefined;
  gap: number;
  gradientNorm: number;
  nullLoss: number;
  best: Best | undefined;
  lowest: number;
  idle: number;
  /** Current weights, then the intercepts; the mean of this epoch's, of so many. */
  readonly coordinates: Float64Array;
  readonly mean: Float64Array;
  averaged: number;
  rule: RuleState;
  /** Base rate, and the halvings of it that epochs brought. */
  rate: number;
  factor: number;
  halvings: number;
  epoch: number;
  /** Next batch of the epoch, and steps since the start. */
  index: number;
  steps: number;
  rowsRead: number;
  wholePasses: number;
  iteration: number;
  builtIteration: number;
  done: 'converged' | 'precision reached' | 'epochs done' | undefined;
}

/** Before the first pass. */
export function newState(problem: Problem, rule: UpdateRule): MiniBatchState {
  const count = coordinateCount(problem);
  return {
    problem,
    metric: NO_METRIC,
    point: undefined,
    gap: NaN,
    gradientNorm: NaN,
    nullLoss: NaN,
    best: undefined,
    lowest: NaN,
    idle: 0,
    coordinates: coordinatesOf(problem.start),
    mean: new Float64Array(count),
    averaged: 0,
    rule: rule.init(count),
    rate: NaN,
    factor: 1,
    halvings: 0,
    epoch: 0,
    index: 0,
    steps: 0,
    rowsRead: 0,
    wholePasses: 0,
    iteration: 0,
    builtIteration: -1,
    done: undefined,
  };
}
