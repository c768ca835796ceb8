import type { ArraySource } from '../data/arrays.ts';
import { balanceClasses } from '../data/class-weights.ts';
import { loadDataset } from '../data/dataset/load.ts';
import type { Dataset } from '../data/dataset/read.ts';
import { type EncodeTableOptions, encodeTable } from '../data/encode.ts';
import { encodeArrays } from '../data/encode-arrays.ts';
import type { Encoded, EncodeProgress } from '../data/encoded.ts';
import { encodedColumns } from '../data/encoder.ts';
import type { Packers } from '../data/kept.ts';
import { openTable } from '../data/open-table.ts';
import { absolute as absoluteLocation } from '../data/source/location.ts';
import { isTableSource, type TableSource } from '../data/source-files.ts';
import type { RowColumns } from '../data/table.ts';
import { type EngineOptions, type Session, WITH_PROCESSES } from '../engines/engine.ts';
import { engineOf } from '../engines/registry.ts';
import { type Layout, layoutOf } from '../partition/layout.ts';
import type { Checkpoint, TrainingJob, TrainingOutcome } from '../strategies/job.ts';
import { ranksOf } from '../strategies/registry.ts';
import { checkOptions, checkSource } from './check-options.ts';
import { CheckpointWriter } from './checkpoints.ts';
import { datasetAt, encodingOf, tableOptions, withDataset } from './dataset.ts';
import { initialVector } from './initial.ts';
import { forgetJob, rememberJob } from './jobs.ts';
import { FittedModel } from './model.ts';
import { CONFIG, configText, loadModel, writeModel } from './model-folder.ts';
import { type ResolvedOptions, resolveOptions } from './options.ts';
import { checkOutFolder } from './out-paths.ts';
import { describePlan, type Plan, planOf } from './plan.ts';
import { backupsOf, engineOptionsOf } from './process-options.ts';
import { type RowsOfWorkers, rowsOfWorkers } from './rows-of-workers.ts';
import { NewFolder } from './run-folder.ts';
import { strategyChoice } from './strategy-options.ts';
import { schemaSummary, summaryOf } from './summary.ts';
import type { TrainOptions } from './train-options.ts';
import type { RunEvent, RunSummary } from './types.ts';
import { validate } from './validate.ts';

/** A trained model, and what its run was like. */
export interface TrainedRun {
  readonly model: FittedModel;
  readonly summary: RunSummary;
}

/**
 * Trains a model from files (CSV or lines of JSON, both also packed by gzip, or Parquet), a dataset folder, or arrays in
 * memory. Rows are split into training and validation rows, encoded, and handed to an engine's workers; with synchronous
 * strategies the result has the same bits for every engine, split and number of workers (docs/numerics.md).
 *
 * @param source path of a file, a pattern of paths, `-` for standard input, or several of these, with `target` in the
 * options; path of a dataset folder; or a row-major matrix with its target.
 * @throws ParagradError; its `code` is stable (docs/errors.md). Nothing is written then.
 */
export async function train(source: TableSource | ArraySource, options: TrainOptions): Promise<TrainedRun> {
  checkSource(source);
  checkOptions(options);
  return runTraining(source, options);
}

/** A run that goes on: from a checkpoint of the run folder `options.out`, or as a job of a cluster that was left. */
export type Going = { readonly checkpoint: Checkpoint; readonly job?: never } | { readonly job: string; readonly checkpoint?: never };

/** `train`, from the start or going on. */
export async function runTraining(source: TableSource | ArraySource, options: TrainOptions, going?: Going): Promise<TrainedRun> {
  const resume = going?.checkpoint;
  const began = performance.now();
  const dataset = isTableSource(source) ? await datasetAt(source) : undefined;
  const resolved = resolveOptions(dataset === undefined ? options : withDataset(options, dataset));
  const emit = (event: RunEvent): void => options.onEvent?.(event);
  const folder = await folderOf(resolved, source, resume);
  // Faults are for this run, not for one that goes on with it.
  const { validationData, kill: _kill, pause: _pause, slow: _slow, ...others } = resolved;
  const stored = validationData === undefined ? others : { ...others, validationData: absolute(validationData) };
  const config = configText(isTableSource(source) ? absolute(source) : null, stored);
  /** The job on a cluster, which is noted so that it can be come back to, until its result is here. */
  let begun: string | undefined;
  const onJob = (id: string, isOver: boolean): void => {
    if (isOver) forgetJob(id);
    else rememberJob(id, config);
    begun = id;
  };
  const crew = new Crew();
  let checkpoints: CheckpointWriter | undefined;
  let rows: RowsOfWorkers | undefined;
  try {
    await reach(resolved);
    if (WITH_PROCESSES.includes(resolved.engine)) rows = await rowsOfWorkers(dataset ?? source, resolved, { signal: options.signal, emit });
    const encoded = rows?.encoded ?? (await encodeSource(dataset ?? source, resolved, crew, options.signal, emit));
    const balanced = resolved.classWeight === 'balanced';
    const classWeights = balanced ? await (rows === undefined ? balanceClasses(encoded) : rows.balance()) : undefined;
    const schema = { ...schemaSummary(encoded, resolved), classWeights };
    emit({ kind: 'schema', schema });
    const plan = planOf(encoded.store.training.layout, resolved);
    emit({ kind: 'plan', plan: describePlan(encoded.store.training.layout, plan) });
    const initial =
      resolved.init === undefined || resume !== undefined ? undefined : initialVector(await loadModel(resolved.init), encoded);
    if (initial?.note !== undefined) emit({ kind: 'note', text: initial.note });
    const strategy = await strategyChoice(resolved, encoded.store.training.layout, plan.partition.workers);
    const job = { ...jobOf(encoded, resolved, plan), strategy, source: rows?.source(classWeights), resume, initial: initial?.vector };
    const session = await crew.open(plan.engine, ranksOf(job) + backupsOf(resolved, plan.partition.workers), {
      ...engineOptionsOf(resolved, { attach: going?.job, onJob }),
      remove: rows?.temporary,
    });
    checkpoints = folder === undefined ? undefined : new CheckpointWriter(folder.path);
    const outcome = await session.train(job, {
      onSteps: (steps) => emit({ kind: 'steps', steps }),
      onCheckpoint: (checkpoint) => checkpoints?.write(checkpoint, async () => folder?.begin(CONFIG, config)),
      onNote: (text) => emit({ kind: 'note', text }),
      ...(options.signal === undefined ? {} : { signal: options.signal }),
    });
    await checkpoints?.finish();
    await crew.close();
    const validation = await validate((await rows?.withValidation()) ?? encoded, outcome.outcome.vector, resolved.kernels);
    const summary = summaryOf({
      encoded,
      schema,
      plan,
      outcome,
      validation: validation?.metrics ?? null,
      options: resolved,
      totalMs: performance.now() - began,
    });
    for (const text of summary.notes) emit({ kind: 'note', text });
    const model = modelOf(encoded, outcome, summary, isTableSource(source) ? resolved : {});
    if (folder !== undefined) {
      await writeModel(folder, model, {
        config,
        steps: outcome.steps,
        crews: outcome.crews,
        diagnostics: validation?.diagnostics ?? null,
        costs: outcome.costs,
        orders: outcome.orders,
      });
      await folder.commit(summary.converged ? [] : ['checkpoints']);
      emit({ kind: 'saved', path: folder.path });
    }
    await rows?.release();
    if (begun !== undefined) forgetJob(begun);
    return { model, summary };
  } catch (error) {
    await crew.close();
    // What can be resumed is on the disk before the error is told.
    await checkpoints?.finish().catch(() => undefined);
    await folder?.discard();
    await rows?.release(error);
    throw error;
  } finally {
    await crew.close();
  }
}

/** An engine that cannot be used says so before the data are read. */
async function reach(options: ResolvedOptions): Promise<void> {
  if (options.engine !== 'auto') await engineOf(options.engine).reach?.(engineOptionsOf(options));
}

/** The workers of a run: the same ones encode arrays and train, where the plan allows. */
class Crew {
  #session: Session | undefined;
  #engine: string | undefined;

  async open(engine: Plan['engine'], workers: number, options?: EngineOptions): Promise<Session> {
    // Workers that are to hurt themselves have to be told when they begin.
    const isAlike = this.#engine === engine && this.#session?.workers === workers && (options?.faults ?? []).length === 0;
    if (this.#session !== undefined && isAlike) return this.#session;
    await this.close();
    this.#session = engineOf(engine).open(workers, options);
    this.#engine = engine;
    return this.#session;
  }

  async close(): Promise<void> {
    await this.#session?.close();
    this.#session = undefined;
  }
}

async function encodeSource(
  source: TableSource | ArraySource | Dataset,
  options: ResolvedOptions,
  crew: Crew,
  signal: AbortSignal | undefined,
  emit: (event: RunEvent) => void,
): Promise<Encoded> {
  const onProgress = ({ phase, rows }: EncodeProgress): void => emit({ kind: 'reading', part: phase, rows });
  if (isTableSource(source)) {
    const packers = (layout: Layout): Promise<Packers> => packersFor(planOf(layout, options), crew);
    return encodeFile(source, { ...tableOptions(options, { signal, onProgress }), packers }, emit);
  }
  if ('manifest' in source) return loadDataset(source, { signal, onProgress });
  return encodeArrays(source, { ...encodingOf(options), signal, onProgress, workers: await packersOf(source, options, crew) });
}

async function encodeFile(source: TableSource, options: EncodeTableOptions, emit: (event: RunEvent) => void): Promise<Encoded> {
  const began = performance.now();
  const table = await openTable(source, { ...options, onDownload: (download) => emit({ kind: 'download', ...download }) });
  const opened = (performance.now() - began) / 1000;
  try {
    const encoded = await encodeTable(table, options);
    // To find the columns of a text file, and what they hold, is to read it.
    return { ...encoded, seconds: { ...encoded.seconds, read: opened + encoded.seconds.read } };
  } finally {
    table.close();
  }
}

function jobOf(encoded: Encoded, options: ResolvedOptions, plan: Plan): TrainingJob {
  const columns = encodedColumns(encoded.encoder);
  const limit = options.timeLimitSeconds;
  return {
    store: encoded.store,
    partition: plan.partition,
    ...(plan.leastWorkers === undefined ? {} : { elastic: { min: plan.leastWorkers, layout: encoded.store.training.layout } }),
    model: encoded.model,
    ...(encoded.target.kind === 'labels' ? { classes: encoded.target.labels.length, labels: encoded.target.labels } : {}),
    optimizer: options.optimizer,
    optimizerOptions: {
      tolerance: options.tolerance,
      learningRate: options.learningRate,
      lineSearch: options.lineSearch,
      momentum: options.momentum,
      batchSize: options.batchSize,
      epochs: options.epochs,
      schedule: options.schedule,
      warmup: options.warmup,
      precondition: options.precondition,
    },
    l2: options.l2,
    intercept: options.intercept,
    start: options.start,
    indicators: Uint8Array.from(columns, ({ kind }) => (kind === 'indicator' ? 1 : 0)),
    columnVariances: Float64Array.from(columns, ({ variance }) => variance),
    kernels: options.kernels,
    maxPasses: options.maxPasses,
    seed: options.seed,
    endAtMs: limit === undefined ? Number.POSITIVE_INFINITY : Date.now() + limit * 1000,
    explain: options.explain ?? false,
    checkpointEveryMs: options.checkpointSeconds * 1000,
    earlyStopping: options.earlyStopping,
  };
}

/** Paths that hold wherever a run is resumed from. */
function absolute(source: TableSource): TableSource {
  const full = (file: string): string => (file === '-' ? file : absoluteLocation(file));
  return typeof source === 'string' ? full(source) : source.map(full);
}

/** The place of the run, which is none of what the run reads. */
async function folderOf(
  { out, force, validationData, init, replay }: ResolvedOptions,
  source: TableSource | ArraySource,
  resume: Checkpoint | undefined,
): Promise<NewFolder | undefined> {
  if (out === undefined) return undefined;
  const tables = [isTableSource(source) ? source : undefined, validationData];
  await checkOutFolder(out, '--out', resume === undefined ? [...tables, init, replay] : tables);
  return resume === undefined ? NewFolder.claim(out, force ?? false, 'run') : NewFolder.resume(out);
}

/**
 * Who encodes arrays: the threads that will train, where the matrix lies in shared memory (any other would be copied to each of
 * them); else this thread.
 */
async function packersOf(source: ArraySource, options: ResolvedOptions, crew: Crew): Promise<Packers> {
  const validation = Math.round(source.rows * options.validationFraction);
  const { dtype, chunkRows, blockColumns } = options;
  const layout = layoutOf({ dtype, rows: source.rows - validation, columns: source.columns, chunkRows, blockColumns });
  return packersFor(source.x.buffer instanceof SharedArrayBuffer ? planOf(layout, options) : undefined, crew);
}

/** The workers of a plan, where they are threads: only these share memory. */
async function packersFor(plan: Plan | undefined, crew: Crew): Promise<Packers> {
  const threads = plan?.engine === 'threads';
  const session = await crew.open(threads ? 'threads' : 'inline', threads ? plan.partition.workers : 1);
  return { count: session.workers, run: (tasks) => session.run(tasks) };
}

function modelOf(encoded: Encoded, outcome: TrainingOutcome, summary: RunSummary, { weight, offset, id }: RowColumns): FittedModel {
  const { dtype, blockColumns } = encoded.store.training.layout;
  // What explains the first step is for the one who asked, not for the model.
  const { firstStep: _firstStep, ...stored } = summary;
  const record = {
    name: encoded.model,
    encoder: encoded.encoder,
    target: encoded.target,
    rowColumns: { weight, offset, id },
    layout: { dtype, blockColumns },
    columnMeans: [...outcome.columnMeans],
    summary: stored,
  };
  return new FittedModel(record, outcome.outcome.vector);
}
