import { at, axes, PAPER, svg } from './frame.ts';
import { linearScale } from './scale.ts';

export interface Histogram {
  /** Edges of the first and the last bar. */
  readonly low: number;
  readonly high: number;
  readonly counts: readonly number[];
}

/** How often errors of each size occur. */
export function errorHistogram({ low, high, counts }: Histogram): string {
  const { width, height, left, right, top, bottom } = PAPER;
  const x = linearScale(low, high, left, width - right);
  const y = linearScale(0, Math.max(1, ...counts), height - bottom, top);
  const step = (high - low) / counts.length;
  const bars = counts.map((count, i) => {
    const [begin, end] = [x.at(low + i * step), x.at(low + (i + 1) * step)];
    return `<rect x="${at(begin + 0.5)}" width="${at(Math.max(0.5, end - begin - 1))}" y="${at(y.at(count))}" height="${at(height - bottom - y.at(count))}"><title>${count} rows</title></rect>`;
  });
  const zero =
    low < 0 && high > 0 ? `<line class="ideal" x1="${at(x.at(0))}" x2="${at(x.at(0))}" y1="${top}" y2="${height - bottom}"/>` : '';
  const body = `${axes(PAPER, x, y, { x: 'prediction − actual', y: 'rows' })}<g class="bars">${bars.join('')}</g>${zero}`;
  return svg('Errors of the predictions, validation rows', PAPER, body);
}
