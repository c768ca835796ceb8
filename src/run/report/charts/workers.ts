import type { RankCosts } from '../../../monitor/costs.ts';
import { html, seconds } from '../text.ts';
import { at, svg } from './frame.ts';

/** Ranks that are shown: more bars would be too thin to compare. */
export const MOST_RANKS = 32;

const WIDTH = 460;
const [LEFT, RIGHT] = [78, 452];
const BAR = { height: 14, step: 20, top: 8 };
const LEGEND = ['computing', 'waiting', 'communicating'] as const;

/** A bar for every rank: how long it computed, waited and communicated, all on one scale of time. */
export function workersChart(ranks: readonly RankCosts[]): string {
  const shown = ranks.slice(0, MOST_RANKS);
  const stretches = (rank: RankCosts): readonly number[] => [rank.computeMs, rank.waitMs, rank.communicateMs].map((ms) => Math.max(0, ms));
  const longest = Math.max(1e-9, ...shown.map((rank) => stretches(rank).reduce((sum, ms) => sum + ms, 0)));
  const bars = shown.map((rank, line) => {
    const y = BAR.top + line * BAR.step;
    let x = LEFT;
    const parts = stretches(rank).map((ms, kind) => {
      const width = (ms / longest) * (RIGHT - LEFT);
      const part = `<rect class="t${kind}" x="${at(x)}" y="${y}" width="${at(width)}" height="${BAR.height}"><title>${rank.role} ${rank.rank} ${LEGEND[kind]}: ${seconds(ms / 1000)}</title></rect>`;
      x += width;
      return part;
    });
    const name = `<text class="tick" text-anchor="end" dominant-baseline="central" x="${LEFT - 8}" y="${y + BAR.height / 2}">${html(`${rank.role} ${rank.rank}`)}</text>`;
    return name + parts.join('');
  });
  const floor = BAR.top + shown.length * BAR.step + 8;
  const legend = LEGEND.map((name, kind) => {
    const x = LEFT + (kind * (RIGHT - LEFT)) / LEGEND.length;
    return `<rect class="t${kind}" x="${at(x)}" y="${floor}" width="10" height="10" rx="2"/><text class="label" x="${at(x + 16)}" y="${floor + 9}">${name}</text>`;
  });
  return svg('What every worker did with its time', { width: WIDTH, height: floor + 18 }, bars.join('') + legend.join(''));
}
