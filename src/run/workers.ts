import { WITH_PROCESSES } from '../engines/engine.ts';
import { ParagradError } from '../errors.ts';
import type { TrainOptions } from './train-options.ts';

/** `--workers`: a number, or from how many to how many, where workers may come and go in a run. */

const MOST_WORKERS = 1024;

/** At least so many, at most so many: the same where the number is fixed. */
export interface WorkerCounts {
  readonly least: number;
  readonly most: number;
}

function wrong(message: string): ParagradError {
  return new ParagradError('PARAGRAD_OPTION', message, { place: { option: '--workers' } });
}

/** What is said of the number of workers. @throws PARAGRAD_OPTION */
export function workersOf({ workers }: Pick<TrainOptions, 'workers'>): WorkerCounts | undefined {
  if (workers === undefined) return undefined;
  const [, from, to] = /^(\d+):(\d+)$/u.exec(String(workers)) ?? [];
  const most = to === undefined ? Number(workers) : Number(to);
  const least = from === undefined ? most : Number(from);
  const is = (count: number): boolean => Number.isSafeInteger(count) && count >= 1 && count <= MOST_WORKERS;
  if (!is(least) || !is(most) || least > most)
    throw wrong(
      `--workers must be a whole number from 1 to ${MOST_WORKERS}, or with --engine processes or ray from how many to how many, such as 2:6, not ${workers}`,
    );
  return { least, most };
}

/** How many there may be. @throws PARAGRAD_OPTION */
export function mostWorkers(options: Pick<TrainOptions, 'workers'>): number | undefined {
  return workersOf(options)?.most;
}

type Given = Pick<TrainOptions, 'workers' | 'engine' | 'strategy' | 'backup' | 'explain' | 'replay'>;

/** Whether workers may come and go, and what does not go with that. @throws PARAGRAD_OPTION */
export function checkWorkers(options: Given): void {
  const counts = workersOf(options);
  if (counts === undefined || counts.least === counts.most) return;
  const { engine = 'auto', strategy = 'map-reduce', backup, explain, replay, workers } = options;
  const only = (what: string): ParagradError => wrong(`--workers ${workers} lets workers come and go, ${what}`);
  if (!WITH_PROCESSES.includes(engine)) throw only(`which only --engine ${WITH_PROCESSES.join(' and ')} can: add that, or give one number`);
  if (strategy === 'gossip')
    throw only('and in gossip every worker has weights of its own, which would go with it: use another strategy, or give one number');
  if (backup !== undefined) throw only('and --backup needs to know who has which rows: give one number, or leave out --backup');
  if (explain === true) throw only('and --explain shows what each worker sent: give one number, or leave out --explain');
  if (replay !== undefined) throw only('and a replay has as many as the run had: give that number');
}
