import { rowsOfChunk } from '../partition/layout.ts';
import { checkSeed } from '../random.ts';
import { inThisThread, type PackTask, rowsOfPackedChunk } from './array-tasks.ts';
import {
  type ArrayMoments,
  type ArraySource,
  checkSource,
  chosenOfBlock,
  fitArrays,
  ingestBlocks,
  mergeArrayMoments,
  SOURCE,
  useOfBlock,
} from './arrays.ts';
import { checkMemory, checkTraining, type Encoded, type EncodeOptions, layoutsOf } from './encoded.ts';
import { encodedWidth } from './encoder.ts';
import { type Packers, pieces } from './kept.ts';
import { memoryLimitBytes } from './limits.ts';
import { RunningTree } from './running-tree.ts';
import { checkFraction, type Split, VALIDATION } from './split.ts';
import { type Moments, mergeMoments, momentsOf } from './statistics.ts';
import { allocateStore, type DataStore } from './store.ts';
import { INGEST_ROWS } from './table.ts';
import { chooseTarget, fillTarget, type ModelChoice, modelForTarget, type TargetEncoder, TargetProbing } from './target.ts';

export interface EncodeArraysOptions extends EncodeOptions {
  readonly model?: ModelChoice | undefined;
  readonly positive?: string | undefined;
  /** 'rows' is for tables only. */
  readonly shuffle?: 'windows' | 'none' | undefined;
  /** Who does the pieces; default: this thread, in plain TypeScript. */
  readonly workers?: Packers | undefined;
}

/**
 * Encodes arrays in memory. The same bits as a table of the same numbers, whoever does the pieces.
 *
 * @throws PARAGRAD_OPTION for arrays that do not fit together; PARAGRAD_VALUE for a value that is not finite; PARAGRAD_TARGET
 * when y does not suit the model; PARAGRAD_DATA when no training row has a weight; PARAGRAD_MEMORY when the result would not fit
 */
export async function encodeArrays(given: ArraySource, options: EncodeArraysOptions = {}): Promise<Encoded> {
  const begin = performance.now();
  const split: Split = { seed: options.seed ?? 0, fraction: options.validationFraction ?? 0.2 };
  checkSeed(split.seed);
  checkFraction(split.fraction);
  checkSource(given);
  const workers = options.workers ?? inThisThread;
  const target = targetOf(given, options);
  const members = membersOf(given, split);
  const source = sharedSource(given, target);
  const moments = await momentsByTree(source, split, workers, options);
  const trainingRows = members.training?.length ?? given.rows;
  checkTraining(moments === undefined ? 0 : trainingRows, { training: trainingRows, all: given.rows }, SOURCE);
  const { encoder, schema, encoding } = fitArrays(source, moments as ArrayMoments, options.standardize ?? true);
  const layouts = layoutsOf(trainingRows, members.validation.length, encodedWidth(encoder), options);
  checkMemory(layouts, memoryLimitBytes());
  const segment = options.segmentBytes === undefined ? {} : { segmentBytes: options.segmentBytes };
  const store = allocateStore(layouts.training, layouts.validation, { offsets: given.offset !== undefined, ...segment });
  const shuffleSeed = (options.shuffle ?? 'windows') === 'windows' ? split.seed : undefined;
  const base = { kind: 'pack' as const, source, encoding, store, chunkBegin: 0 };
  const training: PackTask = {
    ...base,
    set: 'training',
    members: members.training,
    shuffleSeed,
    chunkEnd: layouts.training.chunks,
  };
  const validation: PackTask = {
    ...base,
    set: 'validation',
    members: members.validation,
    shuffleSeed: undefined,
    chunkEnd: layouts.validation.chunks,
  };
  options.signal?.throwIfAborted();
  await workers.run([training, validation].flatMap((task) => pieces(task, workers.count)));
  options.onProgress?.({ phase: 'encode', rows: given.rows, total: given.rows });
  return {
    store,
    encoder,
    schema,
    target,
    model: modelForTarget(target),
    targetStatistics: targetMoments(source, split),
    counts: {
      rows: given.rows,
      withoutTarget: 0,
      training: trainingRows,
      validation: members.validation.length,
      missingValues: 0,
      unseenCategories: 0,
    },
    // Asked for by few: the permutations are computed again then.
    get trainingRows() {
      return storedRows(store, training);
    },
    get validationRows() {
      return storedRows(store, validation);
    },
    weighted: given.weight !== undefined,
    seconds: { read: 0, encode: (performance.now() - begin) / 1000 },
  };
}

function targetOf(source: ArraySource, options: EncodeArraysOptions): TargetEncoder {
  const probing = new TargetProbing('number', options.logTarget);
  const values = { kind: 'number' as const, values: new Float64Array(source.y), missing: undefined };
  probing.look(values, source.rows, { source: SOURCE, name: 'y', firstRow: 0 });
  return chooseTarget('y', probing.finish(), { model: options.model ?? 'auto', positive: options.positive, log: options.logTarget });
}

/** Source rows of both sets, ascending, in shared memory; no lists where all rows are training rows. */
function membersOf(source: ArraySource, split: Split): { training: Uint32Array | undefined; validation: Uint32Array } {
  if (split.fraction === 0) return { training: undefined, validation: new Uint32Array(0) };
  const rows = {
    training: newShared(Uint32Array, source.rows),
    validation: newShared(Uint32Array, source.rows),
  };
  let training = 0;
  let validation = 0;
  for (let block = 0; block < ingestBlocks(source); block += 1) {
    const use = useOfBlock(source, block, split);
    const first = block * INGEST_ROWS;
    for (let i = 0; i < use.length; i += 1) {
      if (use[i] === VALIDATION) {
        rows.validation[validation] = first + i;
        validation += 1;
      } else {
        rows.training[training] = first + i;
        training += 1;
      }
    }
  }
  return { training: rows.training.subarray(0, training), validation: rows.validation.subarray(0, validation) };
}

function newShared<T extends Uint32Array | Float64Array>(
  kind: { new (buffer: SharedArrayBuffer): T; readonly BYTES_PER_ELEMENT: number },
  length: number,
): T {
  return new kind(new SharedArrayBuffer(length * kind.BYTES_PER_ELEMENT));
}

/** The source with its target as y is stored; row arrays in shared memory, so that tasks carry no copies of them. */
function sharedSource(source: ArraySource, target: TargetEncoder): ArraySource {
  const y = newShared(Float64Array, source.rows);
  // Numbers are stored as they are; only classes are looked up, and logarithms computed.
  if (target.kind === 'number' && target.log !== true) y.set(source.y);
  else fillTarget(target, { kind: 'number', values: new Float64Array(source.y), missing: undefined }, source.rows, y);
  const share = (values: Float64Array | undefined): Float64Array | undefined => {
    if (values === undefined) return undefined;
    const shared = newShared(Float64Array, source.rows);
    shared.set(values);
    return shared;
  };
  return { ...source, y, weight: share(source.weight), offset: share(source.offset) };
}

async function momentsByTree(
  source: ArraySource,
  split: Split,
  workers: Packers,
  options: EncodeArraysOptions,
): Promise<ArrayMoments | undefined> {
  const blocks = ingestBlocks(source);
  const tasks = Array.from({ length: blocks }, (_, block) => ({
    kind: 'moments' as const,
    source,
    split,
    blockBegin: block,
    blockEnd: block + 1,
  }));
  options.signal?.throwIfAborted();
  const tree = new RunningTree<ArrayMoments>(mergeArrayMoments);
  for (const block of (await workers.run(tasks)).flat() as (ArrayMoments | undefined)[]) tree.push(block);
  options.onProgress?.({ phase: 'statistics', rows: source.rows, total: source.rows });
  return tree.finish();
}

/** Moments of y over the training rows. */
function targetMoments(source: ArraySource, split: Split): Moments {
  const tree = new RunningTree<Moments>(mergeMoments);
  for (let block = 0; block < ingestBlocks(source); block += 1) {
    const chosen = chosenOfBlock(source, block, split);
    tree.push(chosen.count === 0 ? undefined : momentsOf((source.y as Float64Array).subarray(block * INGEST_ROWS), undefined, chosen));
  }
  return tree.finish() ?? { kind: 'number', weight: 0, mean: 0, m2: 0, min: 0, max: 0, missing: 0 };
}

function storedRows(store: DataStore, task: PackTask): Float64Array {
  const { layout } = store[task.set];
  const rows = new Float64Array(layout.rows);
  for (let chunk = 0; chunk < layout.chunks; chunk += 1)
    rows.set(rowsOfPackedChunk(task, chunk, rowsOfChunk(layout, chunk)), chunk * layout.chunkRows);
  return rows;
}
