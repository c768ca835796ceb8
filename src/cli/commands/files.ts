import { existsSync } from 'node:fs';
import { ParagradError } from '../../errors.ts';

/** Refuses to write over a file, unless the user said so. @throws PARAGRAD_OUT_EXISTS */
export function checkFree(file: string, option: string, force: boolean | undefined): void {
  if (force !== true && existsSync(file))
    throw new ParagradError('PARAGRAD_OUT_EXISTS', `${file} exists already: choose another ${option}, or --force to replace it`, {
      place: { file, option },
    });
}
