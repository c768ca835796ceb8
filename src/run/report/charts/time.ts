import { html, seconds } from '../text.ts';
import { at, svg } from './frame.ts';

export interface Stretch {
  readonly name: string;
  readonly seconds: number;
}

const PAPER = { width: 460, height: 96 };
const [LEFT, RIGHT, TOP, HEIGHT] = [2, 458, 8, 26];

/** Where the time went, one stretch after the other. */
export function timeChart(stretches: readonly Stretch[]): string {
  const total = stretches.reduce((sum, stretch) => sum + stretch.seconds, 0) || 1;
  let begin = LEFT;
  const bars = stretches.map((stretch, i) => {
    const width = (stretch.seconds / total) * (RIGHT - LEFT);
    const bar = `<rect class="t${i}" x="${at(begin)}" y="${TOP}" width="${at(Math.max(0, width - 1.5))}" height="${HEIGHT}" rx="2"/>`;
    begin += width;
    return bar;
  });
  const legend = stretches.map((stretch, i) => {
    const x = LEFT + (i * (RIGHT - LEFT)) / stretches.length;
    return `<rect class="t${i}" x="${at(x)}" y="56" width="10" height="10" rx="2"/><text class="label" x="${at(x + 16)}" y="65">${html(stretch.name)}</text><text class="tick" x="${at(x + 16)}" y="82">${seconds(stretch.seconds)}</text>`;
  });
  return svg('Where the time went', PAPER, bars.join('') + legend.join(''));
}
