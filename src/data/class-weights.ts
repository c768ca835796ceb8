import { ParagradError } from '../errors.ts';
import type { Encoded } from './encoded.ts';
import { viewsOf } from './store.ts';

/** What the weights of the training rows of each class are multiplied with. */
export interface ClassWeights {
  readonly negative: number;
  readonly positive: number;
}

/**
 * Gives both classes the same weight in training, V/2 each: a row's weight is multiplied with V / (2·V of its class), as
 * scikit-learn's class_weight="balanced". V stays what it was, and so does the default penalty. Statistics of the encoding,
 * and validation rows, keep their weights. Changes the store.
 *
 * @throws PARAGRAD_OPTION when the target is a number, or a class has no training row
 */
export function balanceClasses({ store, target }: Pick<Encoded, 'store' | 'target'>): ClassWeights {
  const fail = (why: string): ParagradError =>
    new ParagradError('PARAGRAD_OPTION', `--class-weight balanced: ${why}`, { place: { option: '--class-weight' } });
  if (target.kind !== 'classes') throw fail(`the target ${JSON.stringify(target.name)} is a number, so there are no classes`);
  const set = store.training;
  let [negative, positive] = [0, 0];
  for (let chunk = 0; chunk < set.layout.chunks; chunk += 1) {
    const { rows, y, v } = viewsOf(store, set, chunk);
    for (let i = 0; i < rows; i += 1)
      if (y[i] === 1) positive += v[i] as number;
      else negative += v[i] as number;
  }
  if (negative === 0 || positive === 0)
    throw fail(`no training row is of class ${JSON.stringify(negative === 0 ? target.negative : target.positive)}`);
  const total = negative + positive;
  const weights = { negative: total / (2 * negative), positive: total / (2 * positive) };
  for (let chunk = 0; chunk < set.layout.chunks; chunk += 1) {
    const { rows, y, v } = viewsOf(store, set, chunk);
    for (let i = 0; i < rows; i += 1) v[i] = (v[i] as number) * (y[i] === 1 ? weights.positive : weights.negative);
  }
  return weights;
}
