import { at, axes, PAPER, svg } from './frame.ts';
import { linearScale } from './scale.ts';

/** Predicted against actual values: on the line, a prediction is right. */
export function predictedChart(points: readonly (readonly [actual: number, predicted: number])[], target: string): string {
  const values = points.flat();
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const room = (high - low) * 0.03 || 1;
  const { width, height, left, right, top, bottom } = PAPER;
  const x = linearScale(low - room, high + room, left, width - right);
  const y = linearScale(low - room, high + room, height - bottom, top);
  const dots = points.map(([actual, predicted]) => `<circle r="2.4" cx="${at(x.at(actual))}" cy="${at(y.at(predicted))}"/>`).join('');
  const line = `<line class="ideal" x1="${at(x.at(low))}" y1="${at(y.at(low))}" x2="${at(x.at(high))}" y2="${at(y.at(high))}"/>`;
  const body = `${axes(PAPER, x, y, { x: `actual ${target}`, y: 'predicted' })}<g class="points">${dots}</g>${line}`;
  return svg(`Predicted against actual ${target}, validation rows`, PAPER, body);
}
