import { ParagradError } from '../errors.ts';

/** What is wrong with an option's text, and what it takes. The ranges of values are the library's business. */
function wrong(flag: string, text: string, what: string): ParagradError {
  return new ParagradError('PARAGRAD_OPTION', `${flag} must be ${what}, not '${text}'`, { place: { option: flag } });
}

const NUMBER = /^[+-]?(\d[\d_]*(\.\d*)?|\.\d+)(e[+-]?\d+)?$/iu;

/** A number: 0.1, 1e-6, 1e6, 1_000_000. @throws PARAGRAD_OPTION */
export function parseNumber(flag: string, text: string, what = 'a number'): number {
  if (!NUMBER.test(text)) throw wrong(flag, text, what);
  return Number(text.replaceAll('_', ''));
}

/** A whole number; 1e6 is one. @throws PARAGRAD_OPTION */
export function parseCount(flag: string, text: string): number {
  const value = parseNumber(flag, text, 'a whole number');
  if (!Number.isSafeInteger(value)) throw wrong(flag, text, 'a whole number');
  return value;
}

/** A whole number, or from how many to how many: 2:6. @throws PARAGRAD_OPTION */
export function parseCounts(flag: string, text: string): number | string {
  return /^\d+:\d+$/u.test(text) ? text : parseCount(flag, text);
}

/** @throws PARAGRAD_OPTION */
export function parseRate(flag: string, text: string): number | 'auto' {
  return text === 'auto' ? text : parseNumber(flag, text, "'auto' or a number");
}

const SECONDS: Readonly<Record<string, number>> = { ms: 1e-3, s: 1, m: 60, min: 60, h: 3600, d: 86_400 };

/** A time in seconds: 90, 90s, 5m, 1.5h, 1h30m. @throws PARAGRAD_OPTION */
export function parseDuration(flag: string, text: string): number {
  const what = 'a time such as 90, 90s, 5m or 1h';
  if (NUMBER.test(text)) return parseNumber(flag, text, what);
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ms|min|s|m|h|d)/gu)];
  if (parts.length === 0 || parts.map(([part]) => part).join('') !== text) throw wrong(flag, text, what);
  return parts.reduce((sum, [, value, unit]) => sum + Number(value) * (SECONDS[unit as string] as number), 0);
}

const UNITS: Readonly<Record<string, number>> = {
  b: 1,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  kib: 1024,
  mib: 1024 ** 2,
  gib: 1024 ** 3,
  tib: 1024 ** 4,
};

/** Bytes: 1GiB, 512MiB, 2.5GB, 1e9. @throws PARAGRAD_OPTION */
export function parseBytes(flag: string, text: string): number {
  const what = 'an amount of memory such as 512MiB or 4GiB';
  const [, value = '', unit = 'b'] = /^(.*?)\s*([kmgt]?i?b)?$/iu.exec(text) ?? [];
  const bytes = NUMBER.test(value) ? parseNumber(flag, value, what) * (UNITS[unit.toLowerCase()] ?? Number.NaN) : Number.NaN;
  if (!(bytes > 0)) throw wrong(flag, text, what);
  return Math.floor(bytes);
}

/** Options that may be repeated, one name each: a column's name may contain a comma. */
export function collect(text: string, before: readonly string[] | undefined): string[] {
  return [...(before ?? []), text];
}

/** `runs/<UTC time>-<target>`: sorts by time, and is a file name everywhere. */
export function defaultOut(target: string, now: Date): string {
  const time = now.toISOString().slice(0, 19).replaceAll(':', '-');
  const name = target.replace(/[^\p{L}\p{N}._-]+/gu, '_').replace(/^[._-]+/u, '');
  return `runs/${time}-${[...name].slice(0, 40).join('') || 'target'}`;
}
