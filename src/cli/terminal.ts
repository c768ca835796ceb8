import type { Writable } from 'node:stream';
import type { Style } from './format/style.ts';

/** What a command sees of the world: two streams, their looks, and the environment. */
export interface Terminal {
  /** Results. */
  readonly out: Stream;
  /** Progress, notes and errors. */
  readonly err: Stream;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly version: string;
  /** What the user typed to get here: paragrad, or how npm was asked to start it. */
  readonly command: string;
}

export interface Stream {
  readonly isTerminal: boolean;
  /** Cells in a line; undefined where it is no terminal. */
  readonly columns: number | undefined;
  readonly style: Style;
  /** Where rows go that are too many for one text. */
  readonly writable: Writable;
  /** Resolves when the text has been handed on. */
  write(text: string): Promise<void>;
}

/** Wider lines than this are hard to read, however wide the terminal is. */
export const MOST_COLUMNS = 100;

export function textWidth({ columns }: Pick<Stream, 'columns'>): number {
  return Math.max(40, Math.min(columns ?? MOST_COLUMNS, MOST_COLUMNS));
}
