import type { PlanSummary } from '../../types.ts';
import { number } from '../text.ts';
import { at, svg } from './frame.ts';

const PAPER = { width: 460, height: 260 };
const BOX = { x: 40, y: 30, width: 404, height: 218 };
/** More lines than this would be grey. */
const MOST_LINES = 60;
/** Colours of workers that the page knows. */
export const WORKER_COLOURS = 8;
const LABEL = { width: 66, height: 18 };

/** The encoded training matrix, rows downward: who owns which part of it, and where chunks and blocks end. */
export function planChart({ rows, columns, chunkRows, chunks, blockColumns, blocks, shares }: PlanSummary): string {
  const x = (column: number): number => BOX.x + (columns === 0 ? 0 : column / columns) * BOX.width;
  const y = (row: number): number => BOX.y + (rows === 0 ? 0 : row / rows) * BOX.height;
  const owned = shares.filter(({ rowBegin, rowEnd, columnBegin, columnEnd }) => rowEnd > rowBegin && columnEnd > columnBegin);
  const cells = owned.map(({ rank, rowBegin, rowEnd, columnBegin, columnEnd }) => {
    const [width, height] = [x(columnEnd) - x(columnBegin), y(rowEnd) - y(rowBegin)];
    return `<rect class="w${rank % WORKER_COLOURS}" x="${at(x(columnBegin))}" y="${at(y(rowBegin))}" width="${at(width)}" height="${at(height)}"><title>worker ${rank}</title></rect>`;
  });
  const labels = owned
    .filter((share) => x(share.columnEnd) - x(share.columnBegin) >= LABEL.width && y(share.rowEnd) - y(share.rowBegin) >= LABEL.height)
    .map(({ rank, rowBegin, rowEnd, columnBegin, columnEnd }) => {
      const [middle, centre] = [(x(columnBegin) + x(columnEnd)) / 2, (y(rowBegin) + y(rowEnd)) / 2];
      const back = `<rect class="w${rank % WORKER_COLOURS}" x="${at(middle - LABEL.width / 2)}" y="${at(centre - LABEL.height / 2)}" width="${LABEL.width}" height="${LABEL.height}" rx="4"/>`;
      return `${back}<text class="worker" text-anchor="middle" dominant-baseline="central" x="${at(middle)}" y="${at(centre)}">worker ${rank}</text>`;
    });
  const horizontal = chunks > MOST_LINES ? [] : Array.from({ length: Math.max(0, chunks - 1) }, (_, i) => y((i + 1) * chunkRows));
  const vertical = blocks > MOST_LINES ? [] : Array.from({ length: Math.max(0, blocks - 1) }, (_, i) => x((i + 1) * blockColumns));
  const lines = [
    ...horizontal.map((place) => `<line class="cut" x1="${BOX.x}" x2="${BOX.x + BOX.width}" y1="${at(place)}" y2="${at(place)}"/>`),
    ...vertical.map((place) => `<line class="cut" x1="${at(place)}" x2="${at(place)}" y1="${BOX.y}" y2="${BOX.y + BOX.height}"/>`),
  ];
  const names = `<text class="axis" text-anchor="middle" x="${BOX.x + BOX.width / 2}" y="18">${number(columns, 15)} columns</text><text class="axis" text-anchor="middle" transform="translate(24 ${BOX.y + BOX.height / 2}) rotate(-90)">${number(rows, 15)} training rows</text>`;
  return svg('Who owns which rows and columns', PAPER, cells.join('') + lines.join('') + labels.join('') + names);
}
