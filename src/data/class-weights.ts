import { ParagradError } from '../errors.ts';
import type { Encoded } from './encoded.ts';
import { type ClassWeights, viewsOf } from './store.ts';
import { labelsOfTarget, type TargetEncoder } from './target.ts';

export type { ClassWeights };

/** Sum of the training rows' weights, by the number of their class. */
export type ClassTotals = Float64Array;

/** Before any row. @throws PARAGRAD_OPTION when the target is a number */
export function noClassTotals(target: TargetEncoder): ClassTotals {
  if (target.kind === 'number') throw fail(`the target ${JSON.stringify(target.name)} is a number, so there are no classes`);
  return new Float64Array(labelsOfTarget(target).length);
}

/** Adds rows in their order, and returns the same totals. */
export function addClassTotals(totals: ClassTotals, rows: number, y: Float64Array, v: Float64Array): ClassTotals {
  for (let i = 0; i < rows; i += 1) totals[y[i] as number] = (totals[y[i] as number] as number) + (v[i] as number);
  return totals;
}

/**
 * Weights that give all k classes the same weight in training, V/k each: V / (k·V of the class).
 *
 * @throws PARAGRAD_OPTION when a class has no training row
 */
export function classWeightsOf(target: TargetEncoder, totals: ClassTotals): ClassWeights {
  const labels = labelsOfTarget(target);
  const empty = totals.indexOf(0);
  if (empty >= 0) throw fail(`no training row is of class ${JSON.stringify(labels[empty])}`);
  const total = totals.reduce((sum, value) => sum + value, 0);
  const byClass = Array.from(totals, (value) => total / (labels.length * value));
  return target.kind === 'labels' ? { byClass } : { negative: byClass[0] as number, positive: byClass[1] as number };
}

/** Multiplies the weights of rows. */
export function weighClasses(weights: ClassWeights, rows: number, y: Float64Array, v: Float64Array): void {
  const factor = 'byClass' in weights ? weights.byClass : [weights.negative, weights.positive];
  for (let i = 0; i < rows; i += 1) v[i] = (v[i] as number) * (factor[y[i] as number] as number);
}

/**
 * Gives all k classes the same weight in training: as scikit-learn's class_weight="balanced". V stays what it was, and so does the
 * default penalty. Statistics of the encoding, and validation rows, keep their weights. Changes the store.
 *
 * @throws PARAGRAD_OPTION when the target is a number, or a class has no training row
 */
export function balanceClasses({ store, target }: Pick<Encoded, 'store' | 'target'>): ClassWeights {
  const totals = noClassTotals(target);
  const set = store.training;
  for (let chunk = 0; chunk < set.layout.chunks; chunk += 1) {
    const { rows, y, v } = viewsOf(store, set, chunk);
    addClassTotals(totals, rows, y, v);
  }
  const weights = classWeightsOf(target, totals);
  for (let chunk = 0; chunk < set.layout.chunks; chunk += 1) {
    const { rows, y, v } = viewsOf(store, set, chunk);
    weighClasses(weights, rows, y, v);
  }
  return weights;
}

function fail(why: string): ParagradError {
  return new ParagradError('PARAGRAD_OPTION', `--class-weight balanced: ${why}`, { place: { option: '--class-weight' } });
}
