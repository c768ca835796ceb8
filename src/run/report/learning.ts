import type { RunSummary } from '../types.ts';
import { type LossPoint, lossCurve } from './charts/loss-curve.ts';
import { penaltyChart } from './charts/penalties.ts';
import { timeChart } from './charts/time.ts';
import { figure, section, table } from './elements.ts';
import { number, plural, seconds, tenths } from './text.ts';

/** Steps, and what lies at both ends of them. */
function lossPoints({ nullLoss, loss, passes }: RunSummary, steps: readonly LossPoint[]): LossPoint[] {
  const begun = steps.some(({ objective }) => objective !== null && Math.abs(objective - nullLoss) <= 1e-9 * Math.abs(nullLoss));
  const ended = steps.some((step) => step.passes >= passes);
  return [...(begun ? [] : [{ passes: 0, objective: nullLoss }]), ...steps, ...(ended ? [] : [{ passes, objective: loss }])];
}

/** How the loss fell, how it ended, and how long it took. */
export function learning(summary: RunSummary, steps: readonly LossPoint[]): string {
  const { nullLoss, loss, gap, seconds: time, optimizer, reason, l2, dtype, seed, passes } = summary;
  const chart = lossCurve({ points: lossPoints(summary, steps), nullLoss, best: loss - (gap ?? 0) });
  const stretches = [
    { name: 'read', seconds: time.read },
    { name: 'encode', seconds: time.encode },
    { name: 'train', seconds: time.train },
    { name: 'the rest', seconds: Math.max(0, time.total - time.read - time.encode - time.train) },
  ];
  const left = gap === null || !(nullLoss > loss) ? '–' : number(gap / (nullLoss - loss + gap), 2);
  const run = table([
    ['optimizer', optimizer],
    ['ended', `${reason}, after ${plural(tenths(passes), 'pass', 'passes')}`],
    ['gain still to come', left],
    ['l2', number(l2)],
    ['dtype, seed', `${dtype}, ${seed}`],
  ]);
  const caption = `From ${number(nullLoss)} (the intercept alone) to ${number(loss)}, penalty included.`;
  return section('How it learned', [
    ...(chart === undefined ? [] : [figure('Loss', caption, chart)]),
    figure('Run', `${seconds(time.total)}, of it ${seconds(time.train)} in training.`, timeChart(stretches) + run),
  ]);
}

/** What `--l2 auto` tried. */
export function penalties({ l2Path, l2 }: RunSummary): string {
  if (l2Path === undefined) return '';
  const rows = l2Path.map((value) => [
    number(value.l2, 3),
    number(value.validationLoss, 6),
    number(value.trainingLoss, 6),
    number(value.passes, 15),
    value.l2 === l2 ? 'chosen' : '',
  ]);
  const chart = penaltyChart(l2Path, l2);
  const caption = 'Validation rows, and dashed the training rows. The lowest validation loss decides, the larger penalty of equal ones.';
  return section('How strong a penalty', [
    ...(chart === undefined ? [] : [figure('Penalties', caption, chart)]),
    figure(
      'What was tried',
      'Losses are without the penalty.',
      table([['l2', 'validation', 'training', 'passes', ''], ...rows], 'figures'),
    ),
  ]);
}
