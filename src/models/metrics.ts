import { exp, log1p } from '../math.ts';

/** Fit measures on rows that were not trained on. Weighted by v; rows with v = 0 do not count. */
export interface RegressionMetrics {
  readonly rows: number;
  /** 1 − Σv(y − ŷ)² / Σv(y − ȳ)²; NaN when y does not vary. */
  readonly r2: number;
  readonly rmse: number;
  readonly mae: number;
  /** The same on the scale that was trained on, where that is the logarithm of the target. */
  readonly logScale?: RegressionMetrics;
}

/** How well two classes are told apart; rows count by their weights. */
export interface ClassMetrics {
  readonly rows: number;
  readonly logLoss: number;
  readonly accuracy: number;
  /** Area under the ROC curve, ties counted half; NaN when a class is missing. */
  readonly auc: number;
}

export interface Predicted {
  readonly y: Float64Array;
  readonly z: Float64Array;
  readonly v: Float64Array;
}

export function regressionMetrics({ y, z, v }: Predicted): RegressionMetrics {
  let rows = 0;
  let weight = 0;
  let sum = 0;
  for (let i = 0; i < y.length; i += 1) {
    if (v[i] === 0) continue;
    rows += 1;
    weight += v[i] as number;
    sum += (v[i] as number) * (y[i] as number);
  }
  const mean = sum / weight;
  let residual = 0;
  let total = 0;
  let absolute = 0;
  for (let i = 0; i < y.length; i += 1) {
    if (v[i] === 0) continue;
    const d = (y[i] as number) - (z[i] as number);
    const m = (y[i] as number) - mean;
    residual += (v[i] as number) * d * d;
    total += (v[i] as number) * m * m;
    absolute += (v[i] as number) * Math.abs(d);
  }
  return { rows, r2: total > 0 ? 1 - residual / total : Number.NaN, rmse: Math.sqrt(residual / weight), mae: absolute / weight };
}

/** y in {0, 1}, z the log-odds of class 1. A row is right when the class with z > 0 (probability > ½) is its own. */
export function classMetrics({ y, z, v }: Predicted): ClassMetrics {
  let rows = 0;
  let weight = 0;
  let loss = 0;
  let right = 0;
  for (let i = 0; i < y.length; i += 1) {
    const vi = v[i] as number;
    if (vi === 0) continue;
    const zi = z[i] as number;
    rows += 1;
    weight += vi;
    loss += vi * (Math.max(zi, 0) - (y[i] as number) * zi + log1p(exp(-Math.abs(zi))));
    if (zi > 0 === (y[i] as number) > 0.5) right += vi;
  }
  return { rows, logLoss: loss / weight, accuracy: right / weight, auc: areaUnderCurve({ y, z, v }) };
}

/** Mann–Whitney: the share of (positive, negative) pairs that z puts in the right order. */
function areaUnderCurve({ y, z, v }: Predicted): number {
  const order = Uint32Array.from(y, (_, i) => i).filter((i) => v[i] !== 0);
  order.sort((a, b) => (z[a] as number) - (z[b] as number));
  let negativesBelow = 0;
  let positives = 0;
  let pairs = 0;
  for (let begin = 0; begin < order.length; ) {
    let end = begin;
    let tiedPositive = 0;
    let tiedNegative = 0;
    for (; end < order.length && z[order[end] as number] === z[order[begin] as number]; end += 1) {
      const i = order[end] as number;
      if ((y[i] as number) > 0.5) tiedPositive += v[i] as number;
      else tiedNegative += v[i] as number;
    }
    pairs += tiedPositive * (negativesBelow + tiedNegative / 2);
    negativesBelow += tiedNegative;
    positives += tiedPositive;
    begin = end;
  }
  return pairs / (positives * negativesBelow);
}
