import { CommanderError } from 'commander';
import { ParagradError } from '../errors.ts';
import type { Failure } from './format/error.ts';

/** Codes of what is wrong with the command line itself, as docs/errors.md lists them under Options: exit code 2. */
const USAGE = new Set(['PARAGRAD_CONFIG', 'PARAGRAD_OPTIMIZER', 'PARAGRAD_OPTION', 'PARAGRAD_PARTITION', 'PARAGRAD_USAGE']);

/** The run was interrupted before it had a result. */
export class Interrupted extends Error {}

/** What to show of a thrown value, and the exit code. @param debug adds stacks to expected errors, too */
export function failureOf(error: unknown, options: { debug: boolean; version: string }): Failure {
  if (error instanceof Interrupted)
    return { code: 'PARAGRAD_INTERRUPTED', message: 'interrupted: nothing was written', place: {}, exitCode: 130 };
  if (error instanceof CommanderError) return usageFailure(error);
  const stack = stackOf(error);
  if (error instanceof ParagradError && error.code !== 'PARAGRAD_INTERNAL')
    return {
      code: error.code,
      message: error.message,
      place: error.place,
      exitCode: USAGE.has(error.code) ? 2 : 1,
      ...(options.debug ? { stack } : {}),
    };
  return {
    code: 'PARAGRAD_INTERNAL',
    message: error instanceof Error ? error.message : String(error),
    place: {},
    exitCode: 1,
    hint: `This is a mistake in paragrad, not yours. Please report it, with what you typed and the lines below (paragrad ${options.version}, Node.js ${process.version}, ${process.platform} ${process.arch}).`,
    stack,
  };
}

function stackOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause instanceof Error ? `\ncaused by ${error.cause.stack ?? error.cause.message}` : '';
  return `${error.stack ?? error.message}${cause}`;
}

/** Commander's errors in our own words' form: suggestions on the same line, no second "error:". */
function usageFailure(error: CommanderError): Failure {
  const message = error.message
    .replace(/^error: /u, '')
    .replace(/\n\((Did you mean .*)\)$/su, (_, hint: string) => ` (${hint.replace(/^D/u, 'd')})`)
    .replace(/\.$/u, '');
  return { code: 'PARAGRAD_USAGE', message, place: {}, exitCode: 2 };
}
