import { ParagradError } from '../errors.ts';

/** Compares two strings as their UTF-8 bytes would (by code points), which `<` on UTF-16 does not above U+FFFF. */
export function compareUtf8(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i += 1) {
    let x = a.charCodeAt(i);
    let y = b.charCodeAt(i);
    if (x === y) continue;
    // Surrogates (code points above U+FFFF) sort after U+E000 … U+FFFF.
    if (x >= 0xd800 && y >= 0xd800) {
      x = x >= 0xe000 ? x - 0x800 : x + 0x2000;
      y = y >= 0xe000 ? y - 0x800 : y + 0x2000;
    }
    return x - y;
  }
  return a.length - b.length;
}

/** Edits (insert, delete, replace, swap of neighbours) that turn one string into the other. */
function distance(a: string, b: string): number {
  let before: number[] = [];
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i += 1) {
    const current = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1;
      let edits = Math.min((previous[j] as number) + 1, (current[j - 1] as number) + 1, (previous[j - 1] as number) + same);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) edits = Math.min(edits, (before[j - 2] as number) + 1);
      current.push(edits);
    }
    before = previous;
    previous = current;
  }
  return previous[b.length] as number;
}

const plain = (name: string): string => name.toLowerCase().replace(/[\s_.-]+/gu, '');

/** The name closest to what was typed, if one is close: by letters and digits first, then by edits. */
export function nearestName(typed: string, names: readonly string[]): string | undefined {
  const wanted = plain(typed.slice(0, 200));
  let best: string | undefined;
  let least = Number.POSITIVE_INFINITY;
  for (const name of names) {
    const candidate = plain(name.slice(0, 200));
    const edits = distance(wanted, candidate);
    if (edits < least && edits <= Math.max(1, Math.max(wanted.length, candidate.length) * 0.4)) {
      least = edits;
      best = name;
    }
  }
  return best;
}

/** What to say of a value that is none of those an option takes. */
export function notOneOf(option: string, value: string, known: readonly string[]): string {
  const near = nearestName(value, known);
  return `${option} must be one of ${known.join(', ')}, not '${value}'${near === undefined ? '' : `; did you mean ${near}?`}`;
}

/** A name as it stands in a message: quoted, control characters escaped, cut at 80 characters. */
export function quote(name: string): string {
  return JSON.stringify(name.length > 80 ? `${name.slice(0, 77)}…` : name);
}

/** The error for a column that the data do not have. @returns PARAGRAD_COLUMN, with the nearest name */
export function unknownColumn(name: string, names: readonly string[], source: string, option: string): ParagradError {
  const near = nearestName(name, names);
  const hint = near === undefined ? `; its columns are ${listOf(names)}` : `; did you mean ${quote(near)}?`;
  return new ParagradError('PARAGRAD_COLUMN', `${option} ${quote(name)}: ${source} has no such column${hint}`, {
    place: { file: source, column: name, option },
  });
}

/** Up to `most` names for a message. */
export function listOf(names: readonly string[], most = 10): string {
  const shown = names.slice(0, most).map(quote).join(', ');
  return names.length > most ? `${shown} and ${names.length - most} more` : shown;
}
