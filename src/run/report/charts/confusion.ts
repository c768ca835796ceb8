import { html, number, shorten } from '../text.ts';
import { at, PAPER, svg } from './frame.ts';

const LABEL_CHARACTERS = 12;
/** Cells of up to so many classes have room for their numbers. */
const NUMBERED = 10;
const LEFT = 96;
const TOP = 10;
const BOTTOM = 62;

/** Rows of each class by the class that they are called; a cell is as dark as its part of the class's rows. */
export function confusionChart(confusion: readonly (readonly number[])[], labels: readonly string[]): string {
  const { width, right } = PAPER;
  const height = 340;
  const count = confusion.length;
  const [w, h] = [(width - LEFT - right) / count, (height - TOP - BOTTOM) / count];
  const name = (c: number): string => html(shorten(labels[c] ?? String(c), LABEL_CHARACTERS));
  const cells = confusion.flatMap((row, c) => {
    const sum = row.reduce((total, value) => total + value, 0);
    return row.map((value, k) => {
      const [x, y] = [LEFT + k * w, TOP + c * h];
      const share = sum > 0 ? value / sum : 0;
      const text =
        count <= NUMBERED
          ? `<text text-anchor="middle" dominant-baseline="middle" x="${at(x + w / 2)}" y="${at(y + h / 2)}">${number(value, 4)}</text>`
          : '';
      const title = `<title>${name(c)} called ${name(k)}: ${number(value, 6)}</title>`;
      const place = `x="${at(x + 0.5)}" y="${at(y + 0.5)}" width="${at(w - 1)}" height="${at(h - 1)}"`;
      return `<rect class="${c === k ? 'plus' : 'minus'}" fill-opacity="${at(0.04 + 0.66 * share)}" ${place}>${title}</rect>${text}`;
    });
  });
  const names = labels.slice(0, count).map((_, c) => {
    const y = at(TOP + (c + 0.5) * h);
    const x = at(LEFT + (c + 0.5) * w);
    const below = height - BOTTOM + 12;
    return `<text class="tick" text-anchor="end" dominant-baseline="middle" x="${LEFT - 8}" y="${y}">${name(c)}</text><text class="tick" text-anchor="end" transform="translate(${x} ${below}) rotate(-30)">${name(c)}</text>`;
  });
  return svg(
    'Confusion matrix, validation rows: actual class by row, called class by column',
    { width, height },
    cells.join('') + names.join(''),
  );
}
