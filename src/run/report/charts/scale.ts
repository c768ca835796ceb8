import { log } from '../../../math.ts';
import { number } from '../text.ts';

/** From values to places on the paper, and the values that are marked. */
export interface Scale {
  at(value: number): number;
  readonly ticks: readonly number[];
  label(tick: number): string;
}

const { LN10 } = Math;
const WANTED = 5;
const POWERS = 6;
const COMPACT = new Intl.NumberFormat('en-US', { notation: 'compact', maximumSignificantDigits: 4 });

/** 1, 2 or 5 times a power of ten, so that about `WANTED` steps fit into the span. */
function niceStep(span: number): number {
  const rough = span / WANTED;
  const power = 10 ** Math.floor(log(rough) / LN10);
  const factor = rough / power;
  return (factor < 1.5 ? 1 : factor < 3.5 ? 2 : factor < 7.5 ? 5 : 10) * power;
}

/** @param from, to places of the smallest and the largest value */
export function linearScale(low: number, high: number, from: number, to: number): Scale {
  const span = high > low ? high - low : 1;
  const step = niceStep(span);
  const ticks: number[] = [];
  // A tick is a multiple, not a sum of steps: 0.3, not 0.30000000000000004.
  for (let k = Math.ceil(low / step - 1e-9); k * step <= high + step * 1e-9; k += 1) ticks.push(Number((k * step).toPrecision(12)));
  return {
    at: (value) => from + ((value - low) / span) * (to - from),
    ticks,
    label: (tick) => (Math.abs(tick) >= 1e6 ? COMPACT.format(tick) : number(tick, 6)),
  };
}

/** Powers of ten are marked, every n-th where there are many. */
export function logScale(low: number, high: number, from: number, to: number): Scale {
  const [first, last] = [Math.floor(log(low) / LN10 + 1e-9), Math.ceil(log(high) / LN10 - 1e-9)];
  const span = Math.max(1, last - first);
  const step = Math.ceil(span / POWERS);
  const ticks = Array.from({ length: Math.floor(span / step) + 1 }, (_, k) => 10 ** (last - k * step));
  const at = (value: number): number => from + ((log(value) / LN10 - first) / span) * (to - from);
  return { at, ticks, label: (tick) => (tick >= 1e-3 && tick <= 1e3 ? number(tick) : `10${superscript(Math.round(log(tick) / LN10))}`) };
}

function superscript(power: number): string {
  return [...String(power)].map((character) => (character === '-' ? '⁻' : '⁰¹²³⁴⁵⁶⁷⁸⁹'[Number(character)])).join('');
}
