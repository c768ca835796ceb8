/** Escape sequences of `style.ts`, which take no room. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences start with one
const SGR = /\u001b\[\d+m/gu;
/** Characters that would move the cursor, clear the screen or change the direction of what follows. */
const CONTROL = /[\p{Cc}\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu;
/** Two cells wide: East Asian scripts and full-width forms, and emoji. */
const WIDE =
  /^[\u1100-\u115f\u2e80-\u303e\u3041-\u4dbf\u4e00-\u9fff\ua000-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{20000}-\u{3fffd}]|\p{Emoji_Presentation}|\ufe0f/u;
const ASCII = /^[\x20-\x7e]*$/u;

const segmenter = new Intl.Segmenter('en', { granularity: 'grapheme' });

/** Cells that a text takes on a terminal. */
export function widthOf(text: string): number {
  const bare = text.replace(SGR, '');
  if (ASCII.test(bare)) return bare.length;
  let width = 0;
  for (const { segment } of segmenter.segment(bare)) width += WIDE.test(segment) ? 2 : 1;
  return width;
}

export function padEnd(text: string, width: number): string {
  return text + ' '.repeat(Math.max(0, width - widthOf(text)));
}

export function padStart(text: string, width: number): string {
  return ' '.repeat(Math.max(0, width - widthOf(text))) + text;
}

/** Cut to `width` cells, with … where something is missing. For text without escape sequences. */
export function cut(text: string, width: number): string {
  if (widthOf(text) <= width) return text;
  let kept = '';
  let used = 1;
  for (const { segment } of segmenter.segment(text)) {
    used += widthOf(segment);
    if (used > width) break;
    kept += segment;
  }
  return `${kept}…`;
}

/** As `cut`, but the end stays: of `Neighborhood=North_Ames` both halves say something. */
export function cutMiddle(text: string, width: number): string {
  if (widthOf(text) <= width) return text;
  const segments = Array.from(segmenter.segment(text), ({ segment }) => segment);
  let tail = '';
  for (let i = segments.length - 1; widthOf(segments[i] + tail) <= Math.floor((width - 1) / 2); i -= 1) tail = segments[i] + tail;
  return cut(text, width - widthOf(tail)) + tail;
}

/** Text of a file (a column's name, a value) on one line, harmless to a terminal: control characters are shown escaped. */
export function clean(text: string): string {
  return text.replace(CONTROL, (character) => {
    if (character === '\n') return '\\n';
    if (character === '\t') return '\\t';
    if (character === '\r') return '\\r';
    return `\\u${(character.codePointAt(0) as number).toString(16).padStart(4, '0')}`;
  });
}

/** Breaks a text at spaces into lines of at most `width` cells (a longer word stays whole); newlines stay. */
export function wrap(text: string, width: number): string[] {
  return text.split('\n').flatMap((line) => {
    const lines: string[] = [];
    let current = '';
    for (const word of line.split(' ')) {
      if (current !== '' && widthOf(current) + 1 + widthOf(word) > width) {
        lines.push(current);
        current = word;
      } else current = current === '' ? word : `${current} ${word}`;
    }
    return [...lines, current];
  });
}

/** A name as a shell takes it: in single quotes where it has to be. */
export function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/u.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

/** `1 row`, `2 rows`; the count comes formatted. */
export function plural(count: number, one: string, many = `${one}s`): string {
  return `${count.toLocaleString('en-US')} ${count === 1 ? one : many}`;
}
