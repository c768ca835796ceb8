import type { RunSummary } from '../../run/types.ts';
import { percent, significant } from './numbers.ts';
import { plural } from './text.ts';

/** What is left to gain, as a part of all that there is to gain. NaN where that is not known. */
export function partLeft(gap: number | null, nullLoss: number, loss: number): number {
  return gap === null || !(nullLoss > loss) ? Number.NaN : gap / (nullLoss - loss + gap);
}

/** A part as it is shown: 45.3 %, 0.32 %, 3.2e-7. */
export function gapText(left: number): string {
  return left < 1e-3 ? significant(left, 2) : percent(left);
}

const OPTIMIZERS: Readonly<Record<string, string>> = {
  'gradient-descent': 'gradient descent',
  'conjugate-gradient': 'conjugate gradient',
  lbfgs: 'L-BFGS',
  'plain-lbfgs': 'L-BFGS without a metric',
  'newton-cg': 'Newton-CG',
  'normal-equations': 'normal equations',
  nesterov: 'Nesterov’s accelerated gradient',
};

export function optimizerName(optimizer: string): string {
  return OPTIMIZERS[optimizer] ?? optimizer;
}

export function modelName(model: 'linear' | 'logistic' | 'softmax'): string {
  return { linear: 'linear regression', logistic: 'logistic regression', softmax: 'softmax regression' }[model];
}

/** Why the run ended, in a sentence. */
export function endedBecause(summary: Pick<RunSummary, 'reason' | 'passes' | 'gap' | 'nullLoss' | 'loss' | 'dtype'>): string {
  // Mini-batches count their share of a pass.
  const passes = plural(Math.round(summary.passes * 10) / 10, 'pass', 'passes');
  const left = partLeft(summary.gap, summary.nullLoss, summary.loss);
  const gap = Number.isNaN(left) ? '' : left < 1e-3 ? ` (gap ${gapText(left)})` : ` (about ${percent(left)} of the gain was still to come)`;
  switch (summary.reason) {
    case 'converged':
      return `converged after ${passes}${gap}`;
    case 'precision reached':
      return `as precise as ${summary.dtype} allows, after ${passes}${gap}`;
    case 'epochs done':
      return `after the epochs asked for (--epochs), ${passes}${gap}`;
    case 'max passes':
      return `at the limit of ${passes} (--max-passes), before convergence${gap}`;
    case 'time limit':
      return `at the time limit (--time-limit), after ${passes}${gap}`;
    case 'early stopping':
      return `stopped early, after ${passes}: the validation loss fell no further`;
    case 'aborted':
      return `interrupted after ${passes}${gap}`;
  }
}
