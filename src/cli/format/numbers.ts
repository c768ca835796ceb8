const separated = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0, useGrouping: true });

/** A count with thousands separators. */
export function count(value: number): string {
  return separated.format(value);
}

/** Power of ten of the leading digit, after rounding to `digits` digits. */
function exponentOf(value: number, digits: number): number {
  return Number(value.toExponential(digits - 1).split('e')[1]);
}

/**
 * `digits` significant digits, but all digits before the point: 0.08912, 23,412, 1,250,000; with an exponent below 1e-4 and
 * from 1e12. What is no number is shown as `–`.
 */
export function significant(value: number | null | undefined, digits = 4): string {
  if (value === null || value === undefined || Number.isNaN(value)) return '–';
  if (!Number.isFinite(value)) return value > 0 ? '∞' : '-∞';
  if (value === 0) return '0';
  const exponent = exponentOf(value, digits);
  if (exponent < -4 || exponent >= 12) return value.toExponential(digits - 1).replace('e+', 'e');
  const decimals = Math.max(0, digits - 1 - exponent);
  return value.toLocaleString('en-US', { minimumFractionDigits: decimals, maximumFractionDigits: decimals });
}

/** As `significant`, without zeros at the end of a fraction: 0.5, 12, 1.25. */
export function short(value: number | null | undefined, digits = 4): string {
  const text = significant(value, digits);
  if (!text.includes('.')) return text;
  const [mantissa, exponent] = text.split('e') as [string, string | undefined];
  const trimmed = mantissa.replace(/\.?0+$/u, '');
  return exponent === undefined ? trimmed : `${trimmed}e${exponent}`;
}

/** With a sign always: +12.5, -3. */
export function signed(text: string): string {
  return /^[\d∞]/u.test(text) && !/^0(\.0*)?$/u.test(text) ? `+${text}` : text;
}

const BYTE_UNITS = ['B', 'KB', 'MB', 'GB', 'TB', 'PB'];

/** 512 B, 1.2 KB, 34 MB, 5.6 GB: powers of 1,000. */
export function bytes(value: number): string {
  let unit = 0;
  let scaled = value;
  // 999.5 of a unit would be rounded to 1,000.
  while (scaled >= 999.5 && unit < BYTE_UNITS.length - 1) {
    scaled /= 1000;
    unit += 1;
  }
  return `${unit === 0 || scaled >= 99.5 ? count(Math.round(scaled)) : significant(scaled, 2)} ${BYTE_UNITS[unit]}`;
}

const RATE_UNITS: readonly [number, string][] = [
  [1e9, ' G'],
  [1e6, ' M'],
  [1e3, ' k'],
];

/** A rate: 950, 12.3 k, 45.6 M. */
export function rate(value: number): string {
  if (!Number.isFinite(value) || value < 0) return '–';
  for (const [size, unit] of RATE_UNITS) if (value >= size * 0.9995) return `${significant(value / size, 3)}${unit}`;
  return count(Math.round(value));
}

/** 0.042 s, 3.2 s, 12 min 5 s, 2 h 3 min. */
export function seconds(value: number): string {
  if (value < 0.0995) return `${(value * 1000).toFixed(value < 0.00995 ? 1 : 0)} ms`;
  if (value < 9.995) return `${value.toFixed(2)} s`;
  if (value < 59.95) return `${value.toFixed(1)} s`;
  const whole = Math.round(value);
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}

/** 45.3 %, of a fraction. */
export function percent(fraction: number): string {
  if (!Number.isFinite(fraction)) return '–';
  const value = fraction * 100;
  return `${value >= 99.95 && value < 100 ? value.toFixed(3).replace('100.000', '99.999') : value.toFixed(1)} %`;
}

/** Texts of numbers, padded behind so that their decimal points stand in one line when they are aligned to the right. */
export function alignPoints(texts: readonly string[]): string[] {
  const tails = texts.map((text) => {
    const point = text.search(/[.e]/u);
    return point < 0 ? 0 : text.length - point;
  });
  const longest = Math.max(0, ...tails);
  const padded = texts.map((text, i) => text + ' '.repeat(longest - (tails[i] as number)));
  const width = Math.max(0, ...padded.map((text) => text.length));
  return padded.map((text) => text.padStart(width));
}
