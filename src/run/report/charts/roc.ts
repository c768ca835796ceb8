import { at, axes, PAPER, path, svg } from './frame.ts';
import { linearScale } from './scale.ts';

/** Of both axes: parts of the rows, as percent. */
export function parts(from: number, to: number): ReturnType<typeof linearScale> {
  return { ...linearScale(0, 1, from, to), label: (tick) => `${Math.round(tick * 100)} %` };
}

/** ROC curve: what part of the positives is found, for what part of the negatives called positive by mistake. */
export function rocChart(points: readonly (readonly [falsePositive: number, truePositive: number])[], positive: string): string {
  const { width, height, left, right, top, bottom } = PAPER;
  const [x, y] = [parts(left, width - right), parts(height - bottom, top)];
  const places = points.map(([fp, tp]) => [x.at(fp), y.at(tp)] as const);
  const guess = `<line class="ideal" x1="${at(x.at(0))}" y1="${at(y.at(0))}" x2="${at(x.at(1))}" y2="${at(y.at(1))}"/>`;
  const area = `<path class="area" d="${path(places)}L${at(x.at(1))} ${at(y.at(0))}Z"/>`;
  const names = { x: `called ${positive} by mistake`, y: `${positive} found` };
  return svg('ROC curve, validation rows', PAPER, `${axes(PAPER, x, y, names)}${area}${guess}<path class="curve" d="${path(places)}"/>`);
}
