import { ParagradError } from '../errors.ts';
import type { FittedModel } from './model.ts';

/** Probability above which a row is called positive. */
export const THRESHOLD = 0.5;

/**
 * @param threshold undefined: one half
 * @throws PARAGRAD_OPTION when it is not between 0 and 1, or was given for a model without classes
 */
export function checkThreshold(model: FittedModel, threshold: number | undefined): number {
  if (threshold === undefined) return THRESHOLD;
  if (model.record.target.kind !== 'classes')
    throw wrong(
      `--threshold belongs to models of two classes: this one ${model.name === 'softmax' ? 'has several, and calls the likeliest' : 'predicts a number'}`,
    );
  if (!(threshold >= 0 && threshold <= 1)) throw wrong(`--threshold must be a number from 0 to 1, not ${threshold}`);
  return threshold;
}

/** Is the row called positive? One half is decided on z, whose sign is exact where the probability is rounded. */
export function isPositive(z: number, probability: number, threshold: number): boolean {
  return threshold === THRESHOLD ? z > 0 : probability > threshold;
}

function wrong(message: string): ParagradError {
  return new ParagradError('PARAGRAD_OPTION', message, { place: { option: '--threshold' } });
}
