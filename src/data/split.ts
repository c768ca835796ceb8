import { ParagradError } from '../errors.ts';
import { uniform } from '../random.ts';

/** What a row is for. */
export const TRAINING = 0;
export const VALIDATION = 1;
/** Its target is missing. */
export const SKIPPED = 2;

export interface Split {
  readonly seed: number;
  /** Share of validation rows, 0 ≤ fraction < 1. */
  readonly fraction: number;
}

/** @throws PARAGRAD_OPTION */
export function checkFraction(fraction: number): void {
  if (!(fraction >= 0 && fraction < 1))
    throw new ParagradError('PARAGRAD_OPTION', `--validation-fraction must be at least 0 and below 1, not ${fraction}`, {
      place: { option: '--validation-fraction' },
    });
}

/** Is the row at a position of the source for validation? Fixed by seed and position alone. */
export function isValidation(split: Split, row: number): boolean {
  return split.fraction > 0 && uniform(split.seed, 'split', row) < split.fraction;
}

/** `use[i]` = TRAINING or VALIDATION for row `firstRow + i`, where it is not SKIPPED already. */
export function fillSplit(use: Uint8Array, split: Split, firstRow: number): void {
  if (split.fraction === 0) return;
  for (let i = 0; i < use.length; i += 1)
    if (use[i] !== SKIPPED && uniform(split.seed, 'split', firstRow + i) < split.fraction) use[i] = VALIDATION;
}
