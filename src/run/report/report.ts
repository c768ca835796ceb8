import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { ParagradError } from '../../errors.ts';
import { requireFolder } from '../arguments.ts';
import type { Diagnostics } from '../diagnostics.ts';
import { DIAGNOSTICS, EVENTS, loadModel } from '../model-folder.ts';
import { writeWhole } from '../out-file.ts';
import { checkOutFile } from '../out-paths.ts';
import type { LossPoint } from './charts/loss-curve.ts';
import { reportPage } from './page.ts';

/**
 * Writes a report of a run: one HTML page, with everything inside.
 *
 * @param folder run and model folder
 * @throws PARAGRAD_MODEL_FOLDER …; PARAGRAD_OUT when the file cannot be written
 */
export async function writeReport(folder: string, file: string): Promise<void> {
  requireFolder(folder, 'writeReport(folder, file)');
  await checkOutFile(file, '--report', [folder]);
  const { summary } = await loadModel(folder);
  const events = await optional(folder, EVENTS);
  const steps = (events ?? '')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => parse<LossPoint>(line, folder, EVENTS));
  const diagnostics = await optional(folder, DIAGNOSTICS);
  const page = reportPage({
    summary,
    steps,
    diagnostics: diagnostics === undefined ? null : parse<Diagnostics | null>(diagnostics, folder, DIAGNOSTICS),
  });
  await writeWhole(file, [Buffer.from(page)], '--report');
}

/** A file of the folder that a model can do without; undefined when it is not there. */
async function optional(folder: string, name: string): Promise<string | undefined> {
  return readFile(path.join(folder, name), 'utf8').catch(() => undefined);
}

function parse<T>(text: string, folder: string, name: string): T {
  try {
    return JSON.parse(text) as T;
  } catch (cause) {
    const file = path.join(folder, name);
    throw new ParagradError('PARAGRAD_MODEL_FILE', `${file} is not JSON: it was damaged`, { place: { file }, cause });
  }
}
