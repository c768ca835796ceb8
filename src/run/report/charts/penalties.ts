import type { L2Value } from '../../../strategies/job.ts';
import { number } from '../text.ts';
import { at, axes, PAPER, path, svg } from './frame.ts';
import { linearScale, logScale } from './scale.ts';

/** Losses of what `--l2 auto` tried: of the validation rows as a line, of the training rows dashed; the chosen one is marked. */
export function penaltyChart(values: readonly L2Value[], chosen: number): string | undefined {
  const known = values.filter(({ l2, validationLoss, trainingLoss }) => l2 > 0 && Number.isFinite(validationLoss + trainingLoss));
  if (known.length < 2) return undefined;
  const { width, height, left, right, top, bottom } = PAPER;
  const penalties = known.map(({ l2 }) => l2);
  const losses = known.flatMap(({ validationLoss, trainingLoss }) => [validationLoss, trainingLoss]);
  const x = logScale(Math.min(...penalties), Math.max(...penalties), left, width - right);
  const y = linearScale(Math.min(...losses), Math.max(...losses), height - bottom, top);
  const line = (of: (value: L2Value) => number): string => path(known.map((value) => [x.at(value.l2), y.at(of(value))] as const));
  const markers = known.map(
    ({ l2, validationLoss }) =>
      `<circle class="dot${l2 === chosen ? ' chosen' : ''}" r="${l2 === chosen ? 6 : 3}" cx="${at(x.at(l2))}" cy="${at(y.at(validationLoss))}"><title>l2 ${number(l2, 3)}: ${number(validationLoss, 6)}</title></circle>`,
  );
  const training = `<path class="ideal" fill="none" d="${line(({ trainingLoss }) => trainingLoss)}"/>`;
  const validation = `<path class="curve" d="${line(({ validationLoss }) => validationLoss)}"/>`;
  const frame = axes(PAPER, x, y, { x: 'l2', y: 'loss, without penalty' });
  return svg('Loss of each penalty, validation and training rows', PAPER, `${frame}${training}${validation}${markers.join('')}`);
}
