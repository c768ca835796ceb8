import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { ArraySource } from '../data/arrays.ts';
import { isTableSource, type TableSource } from '../data/source-files.ts';
import { ParagradError } from '../errors.ts';
import { readCheckpoint } from './checkpoints.ts';
import { datasetAt, withoutEncoding } from './dataset.ts';
import { CONFIG } from './model-folder.ts';
import { type Inputs, requirePath } from './out-paths.ts';
import { withoutProcesses } from './process-options.ts';
import type { TrainedRun } from './train.ts';
import { runTraining } from './train.ts';
import type { TrainOptions } from './train-options.ts';
import { NUMERICS_VERSION } from './version.ts';

/** What may be different when a run goes on: nothing that decides a bit of the result. */
export type ResumeOptions = Pick<
  TrainOptions,
  | 'engine'
  | 'workers'
  | 'partition'
  | 'communicate'
  | 'reducers'
  | 'backup'
  | 'maxRestarts'
  | 'workerTimeoutSeconds'
  | 'bind'
  | 'hosts'
  | 'keyFile'
  | 'joinTimeoutSeconds'
  | 'linkDelay'
  | 'linkRate'
  | 'kill'
  | 'pause'
  | 'slow'
  | 'rayAddress'
  | 'rayTokenFile'
  | 'rayData'
  | 'node'
  | 'maxPasses'
  | 'timeLimitSeconds'
  | 'checkpointSeconds'
  | 'signal'
  | 'onEvent'
>;

/**
 * Goes on with a run that was interrupted, or ended at a limit, from its newest whole checkpoint: to the bits that an
 * uninterrupted run gives, on any number of workers; of strategies that promise no bits, from its weights, version and schedule.
 *
 * @param run its folder.
 * @param source the data, where they were arrays; a file is found again by its path.
 * @throws PARAGRAD_RESUME when there is nothing to resume, or the data changed; what `train` throws.
 */
export async function resume(run: string, options: ResumeOptions = {}, source?: ArraySource): Promise<TrainedRun> {
  const config = await readConfig(run);
  if (config.options.replay !== undefined)
    throw new ParagradError(
      'PARAGRAD_RESUME',
      `${run} does again what another run did, and cannot go on on its way: replay that one anew`,
      {
        place: { file: run, option: '--resume' },
      },
    );
  const { checkpoint, damaged } = await readCheckpoint(run);
  for (const file of damaged)
    options.onEvent?.({ kind: 'note', text: `${file} was damaged and is set aside: the run goes on from the one before` });
  const data = source ?? config.source;
  if (data === null)
    throw new ParagradError('PARAGRAD_RESUME', `${run} was trained on arrays: hand them over to go on`, { place: { file: run } });
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
  // The time limit of before has passed; a limit of passes stands unless another is given.
  const { timeLimitSeconds: _past, ...begun } = config.options;
  const before = options.engine === undefined ? begun : withoutProcesses(begun);
  if (isTableSource(data) && [data].flat().includes('-'))
    throw new ParagradError('PARAGRAD_RESUME', `${run} was trained on standard input, which cannot be read again: train anew`, {
      place: { file: run },
    });
  const dataset = isTableSource(data) && (await datasetAt(data)) !== undefined;
  return runTraining(data, { ...(dataset ? withoutEncoding(before) : before), ...given, out: run, force: true }, { checkpoint });
}

/** What a run reads that goes on. @throws PARAGRAD_RESUME when the folder is not that of a run */
export async function inputsOfRun(run: string): Promise<Inputs> {
  const { source, options } = await readConfig(run);
  return [source ?? undefined, options.validationData, run];
}

async function readConfig(run: string): Promise<{ source: TableSource | null; options: TrainOptions }> {
  requirePath(run, '--resume');
  const file = path.join(run, CONFIG);
  const text = await readFile(file, 'utf8').catch((cause: unknown) => {
    const why = existsSync(run) ? `is not a run folder: it has no ${CONFIG}` : 'does not exist: name the folder of a run';
    throw new ParagradError('PARAGRAD_RESUME', `${run} ${why}`, {
      place: { file: run, option: '--resume' },
      cause,
    });
  });
  let value: { numericsVersion: number; source: TableSource | null } & TrainOptions;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new ParagradError('PARAGRAD_RESUME', `${file} is not JSON: it was damaged`, { place: { file }, cause });
  }
  const { numericsVersion, source, ...options } = value;
  if (numericsVersion !== NUMERICS_VERSION)
    throw new ParagradError(
      'PARAGRAD_RESUME',
      `${run} was made with numerics version ${numericsVersion}, this is ${NUMERICS_VERSION}: train anew`,
      {
        place: { file },
      },
    );
  return { source, options };
}
