import type { ErrorCode, ErrorPlace } from '../../errors.ts';
import type { Style } from './style.ts';
import { wrap } from './text.ts';

/** An error as it is shown: `code` undefined for one that nobody expected. */
export interface Failure {
  readonly code: ErrorCode;
  readonly message: string;
  readonly place: ErrorPlace;
  readonly exitCode: 1 | 2 | 130;
  /** What to try next, in a line of its own. */
  readonly hint?: string;
  /** For those who look for a mistake of the program. */
  readonly stack?: string;
}

/**
 * `error: … [PARAGRAD_X]`; on a terminal broken into lines, elsewhere on one line, so that a search finds it.
 *
 * @param width cells of a line; undefined: no breaking
 */
export function failureText({ code, message, hint, stack }: Failure, width: number | undefined, style: Style): string {
  const text = `${message} [${code}]`;
  const [first, ...others] = width === undefined ? [text] : wrap(text, width - 'error: '.length);
  const lines = [`${style.red('error:')} ${first}`, ...others.map((line) => `       ${line}`)];
  if (hint !== undefined) lines.push(...(width === undefined ? [hint] : wrap(hint, width)).map((line) => style.dim(line)));
  if (stack !== undefined) lines.push(stack);
  return `${lines.join('\n')}\n`;
}

export function failureObject({ code, message, place }: Failure): object {
  return { error: { code, message, ...(Object.keys(place).length === 0 ? {} : { place }) } };
}

/** A remark on stderr. */
export function noteText(text: string, width: number | undefined, style: Style): string {
  const [first, ...others] = width === undefined ? [text] : wrap(text, width - 'note: '.length);
  return `${[`${style.bold('note:')} ${first}`, ...others.map((line) => `      ${line}`)].join('\n')}\n`;
}
