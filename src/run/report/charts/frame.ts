import { html } from '../text.ts';
import type { Scale } from './scale.ts';

/** Paper of a chart, and the margins that hold its labels. */
export interface Paper {
  readonly width: number;
  readonly height: number;
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
}

export const PAPER: Paper = { width: 460, height: 300, left: 78, right: 26, top: 14, bottom: 44 };

/** A coordinate: two decimals are enough, and half of the bytes. */
export const at = (value: number): string => String(Math.round(value * 100) / 100);

/** An SVG that scales with its place. @param title what it shows, for those who cannot see it */
export function svg(title: string, { width, height }: Pick<Paper, 'width' | 'height'>, body: string): string {
  return `<svg viewBox="0 0 ${width} ${height}" role="img" aria-label="${html(title)}">${body}</svg>`;
}

/** Grid lines, ticks and names of both axes. */
export function axes(paper: Paper, x: Scale, y: Scale, names: { readonly x: string; readonly y: string }): string {
  const { width, height, left, right, top, bottom } = paper;
  const [floor, end] = [height - bottom, width - right];
  const horizontal = y.ticks.map((tick) => {
    const place = at(y.at(tick));
    return `<line class="grid" x1="${left}" x2="${end}" y1="${place}" y2="${place}"/><text class="tick" text-anchor="end" dominant-baseline="middle" x="${left - 8}" y="${place}">${html(y.label(tick))}</text>`;
  });
  const vertical = x.ticks.map((tick) => {
    const place = at(x.at(tick));
    return `<line class="grid" x1="${place}" x2="${place}" y1="${top}" y2="${floor}"/><text class="tick" text-anchor="middle" x="${place}" y="${floor + 16}">${html(x.label(tick))}</text>`;
  });
  const nameX = `<text class="axis" text-anchor="middle" x="${(left + end) / 2}" y="${height - 6}">${html(names.x)}</text>`;
  const nameY = `<text class="axis" text-anchor="middle" transform="translate(12 ${(top + floor) / 2}) rotate(-90)">${html(names.y)}</text>`;
  return horizontal.join('') + vertical.join('') + nameX + nameY;
}

/** Points joined by straight lines. */
export function path(points: readonly (readonly [number, number])[]): string {
  return points.map(([x, y], i) => `${i === 0 ? 'M' : 'L'}${at(x)} ${at(y)}`).join('');
}
