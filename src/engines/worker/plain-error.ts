import { type ErrorCode, type ErrorPlace, ParagradError } from '../../errors.ts';

/** An error on its way to another thread or process. */
export interface PlainError {
  readonly code: ErrorCode;
  readonly message: string;
  readonly place: ErrorPlace;
}

export function plainError(error: unknown): PlainError {
  if (error instanceof ParagradError) return error.toJSON();
  const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return { code: 'PARAGRAD_INTERNAL', message, place: {} };
}
