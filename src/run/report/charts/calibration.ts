import { at, axes, PAPER, path, svg } from './frame.ts';
import { parts } from './roc.ts';

export interface CalibrationBin {
  /** Mean probability of the bin's rows. */
  readonly predicted: number;
  /** Part of them that is positive. */
  readonly actual: number;
  readonly rows: number;
}

/** Is a row of 70 % positive in 70 of 100 cases? On the line, yes. */
export function calibrationChart(bins: readonly CalibrationBin[], positive: string): string {
  const { width, height, left, right, top, bottom } = PAPER;
  const [x, y] = [parts(left, width - right), parts(height - bottom, top)];
  const places = bins.map(({ predicted, actual }) => [x.at(predicted), y.at(actual)] as const);
  const ideal = `<line class="ideal" x1="${at(x.at(0))}" y1="${at(y.at(0))}" x2="${at(x.at(1))}" y2="${at(y.at(1))}"/>`;
  const dots = places.map(
    ([cx, cy], i) => `<circle class="dot" r="4" cx="${at(cx)}" cy="${at(cy)}"><title>${bins[i]?.rows} rows</title></circle>`,
  );
  const names = { x: `predicted probability of ${positive}`, y: `part that is ${positive}` };
  return svg(
    'Calibration, validation rows',
    PAPER,
    `${axes(PAPER, x, y, names)}${ideal}<path class="curve" d="${path(places)}"/>${dots.join('')}`,
  );
}
