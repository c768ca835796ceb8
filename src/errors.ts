/**
 * Every failure that a user can cause or meet has a stable code. Messages may change, codes may not; all are listed in
 * `docs/errors.md`. A message says what is wrong, where (file, line, column, option, rank) and what to do.
 */
export type ErrorCode = `PARAGRAD_${Uppercase<string>}`;

/** Where an error comes from, for programs; the message says the same for people. */
export interface ErrorPlace {
  readonly file?: string;
  readonly line?: number;
  readonly column?: string;
  readonly option?: string;
  readonly rank?: number;
}

/**
 * An error with a stable code. `usage` errors (a wrong option or argument) end the command line with exit code 2, all
 * others with 1.
 */
export class ParagradError extends Error {
  readonly code: ErrorCode;
  readonly place: ErrorPlace;

  constructor(code: ErrorCode, message: string, options: { place?: ErrorPlace; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'ParagradError';
    this.code = code;
    this.place = options.place ?? {};
  }

  /** What `structuredClone` would lose (the class and the code), as plain data for another thread or process. */
  toJSON(): { code: ErrorCode; message: string; place: ErrorPlace } {
    return { code: this.code, message: this.message, place: this.place };
  }

  static from(value: { code: ErrorCode; message: string; place?: ErrorPlace }): ParagradError {
    return new ParagradError(value.code, value.message, { place: value.place ?? {} });
  }
}

/** An error of the program itself: a broken invariant, never a user's mistake. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new ParagradError('PARAGRAD_INTERNAL', `internal error: ${message}`);
}
