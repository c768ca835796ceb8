import { html, number, shorten } from '../text.ts';
import { at, svg } from './frame.ts';

export interface CoefficientBar {
  readonly name: string;
  /** In the user's own units. */
  readonly value: number;
  readonly importance: number;
}

const WIDTH = 960;
const ROW = 24;
const [LEAST_NAME, MOST_NAME] = [60, 320];
/** Width of a character, on the whole. */
const CHARACTER = 8;
const VALUE_WIDTH = 110;
const NAME_CHARACTERS = 40;

/** Bars as long as each coefficient matters, to the right where it raises the prediction, to the left where it lowers it. */
export function coefficientsChart(bars: readonly CoefficientBar[]): string {
  const longest = Math.max(...bars.map(({ name }) => [...name].length));
  const names = Math.min(MOST_NAME, Math.max(LEAST_NAME, longest * CHARACTER));
  const height = bars.length * ROW + 8;
  const most = Math.max(...bars.map(({ importance }) => importance), Number.MIN_VALUE);
  const negative = bars.some(({ value }) => value < 0);
  const positive = bars.some(({ value }) => value >= 0);
  const room = WIDTH - names - VALUE_WIDTH - 24;
  const left = names + 12;
  // One direction only gets all the room.
  const zero = negative && positive ? left + room / 2 : negative ? left + room : left;
  const reach = negative && positive ? room / 2 : room;
  const rows = bars.map(({ name, value, importance }, i) => {
    const y = i * ROW + 4;
    const length = Math.max(1.5, (importance / most) * reach);
    const x = value < 0 ? zero - length : zero;
    const middle = y + ROW / 2;
    return (
      `<text class="label" text-anchor="end" dominant-baseline="middle" x="${names}" y="${middle}">${html(shorten(name, NAME_CHARACTERS))}<title>${html(name)}</title></text>` +
      `<rect class="${value < 0 ? 'minus' : 'plus'}" rx="2" x="${at(x)}" y="${y + 4}" width="${at(length)}" height="${ROW - 8}"/>` +
      `<text class="value" text-anchor="end" dominant-baseline="middle" x="${WIDTH}" y="${middle}">${value > 0 ? '+' : ''}${html(number(value))}</text>`
    );
  });
  const line = `<line class="zero" x1="${at(zero)}" x2="${at(zero)}" y1="0" y2="${height}"/>`;
  return svg('Largest coefficients', { width: WIDTH, height }, line + rows.join(''));
}
