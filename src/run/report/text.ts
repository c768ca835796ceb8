/** Text as HTML: names and labels come from users' files. */
export function html(text: string): string {
  return text.replace(/[&<>"']/gu, (character) => `&#${character.codePointAt(0)};`);
}

const NUMBERS = new Map<number, Intl.NumberFormat>();

/** Up to `digits` significant digits: 0.9031, 26,409, 3.2e-7. */
export function number(value: number | null | undefined, digits = 4): string {
  if (value === null || value === undefined || Number.isNaN(value)) return '–';
  if (!Number.isFinite(value)) return value > 0 ? '∞' : '−∞';
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-4 || size >= 1e12)) {
    const [mantissa, exponent] = value.toExponential(Math.min(digits, 3) - 1).split('e') as [string, string];
    return `${mantissa.replace(/\.?0+$/u, '')}e${Number(exponent)}`.replaceAll('-', '−');
  }
  const wholeDigits = size >= 1 ? String(Math.floor(size)).length : 1;
  const key = Math.max(digits, wholeDigits);
  const format = NUMBERS.get(key) ?? new Intl.NumberFormat('en-US', { maximumSignificantDigits: Math.min(key, 21) });
  NUMBERS.set(key, format);
  return format.format(value).replaceAll('-', '−');
}

/** 45.3 % */
export function percent(part: number): string {
  return Number.isFinite(part) ? `${(part * 100).toFixed(1)} %` : '–';
}

/** 12 ms, 3.2 s, 5 min 3 s */
export function seconds(value: number): string {
  if (value < 0.1) return `${(value * 1000).toFixed(value < 0.01 ? 1 : 0)} ms`;
  if (value < 60) return `${value.toFixed(value < 10 ? 2 : 1)} s`;
  return `${Math.floor(value / 60)} min ${Math.round(value % 60)} s`;
}

/** 512 B, 1.2 MB */
export function bytes(value: number): string {
  const units = ['B', 'KB', 'MB', 'GB', 'TB'];
  let unit = 0;
  let scaled = value;
  for (; scaled >= 999.5 && unit < units.length - 1; unit += 1) scaled /= 1000;
  return `${number(scaled, unit === 0 ? 3 : 2)} ${units[unit]}`;
}

/** Mini-batches count their share of a pass; more than tenths of one say nothing. */
export function tenths(value: number): number {
  return Math.round(value * 10) / 10;
}

/** `1 row`, `2 rows` */
export function plural(count: number, one: string, many = `${one}s`): string {
  return `${number(count, 15)} ${count === 1 ? one : many}`;
}

/** Cut in the middle to `most` characters: of `Neighborhood=North_Ames` both halves say something. */
export function shorten(text: string, most: number): string {
  const characters = [...text];
  if (characters.length <= most) return text;
  const tail = Math.floor((most - 1) / 2);
  return `${characters.slice(0, most - 1 - tail).join('')}…${characters.slice(characters.length - tail).join('')}`;
}
