import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { readSafetensors, writeSafetensors } from '../data/safetensors.ts';
import type { TableSource } from '../data/source-files.ts';
import { ParagradError } from '../errors.ts';
import type { RunCosts } from '../monitor/costs.ts';
import type { Crew, StepRecord } from '../strategies/job.ts';
import { vectorOf } from '../update/vectors.ts';
import { requireFolder } from './arguments.ts';
import type { Diagnostics } from './diagnostics.ts';
import { FittedModel, type ModelRecord } from './model.ts';
import type { ResolvedOptions } from './options.ts';
import type { NewFolder } from './run-folder.ts';
import { NUMERICS_VERSION } from './version.ts';

/** Files of a run and model folder. */
const WEIGHTS = 'model.safetensors';
export const RECORD = 'model.json';
export const CONFIG = 'config.json';
export const EVENTS = 'events.jsonl';
/** What a report shows of the validation rows; absent without any. */
export const DIAGNOSTICS = 'validation.json';
const FORMAT = 'paragrad-model';
const FORMAT_VERSION = 1;

/** What `config.json` says: the source (a path, absolute; null for arrays) and all options. */
export function configText(source: TableSource | null, options: ResolvedOptions): string {
  return `${JSON.stringify({ numericsVersion: NUMERICS_VERSION, source, ...options }, null, 2)}\n`;
}

/** What lies beside a model in its folder: how it came about. */
export interface RunFiles {
  /** Text of `config.json`. */
  readonly config: string;
  readonly steps: readonly StepRecord[];
  /** How many workers there were from when on. */
  readonly crews?: readonly Crew[] | undefined;
  readonly diagnostics: Diagnostics | null;
  readonly costs?: RunCosts | undefined;
  /** Parameter server: what each server applied. */
  readonly orders?: readonly Int32Array[] | undefined;
}

/** Writes the files; the folder gets its name when the caller commits it. */
export async function writeModel(
  folder: NewFolder,
  model: FittedModel,
  { config, steps, crews = [], diagnostics, costs, orders }: RunFiles,
): Promise<void> {
  const { weights, intercept, others } = model.vector;
  const classes = 1 + (others?.length ?? 0);
  const tensors = {
    weights: {
      dtype: 'F64' as const,
      shape: others === undefined ? [weights.length] : [classes, weights.length / classes],
      values: weights,
    },
    intercept: { dtype: 'F64' as const, shape: [classes], values: new Float64Array([intercept, ...(others ?? [])]) },
  };
  const metadata = { format: FORMAT, numericsVersion: String(NUMERICS_VERSION), sha256: model.weightsSha256 };
  await folder.write(WEIGHTS, writeSafetensors(tensors, metadata));
  await folder.write(CONFIG, config);
  const events = [
    ...steps.map((step) => ({ kind: 'step', ...step })),
    ...crews.map((crew) => ({ kind: 'workers', ...crew })),
    ...(costs === undefined ? [] : [{ kind: 'costs', ...costs }]),
  ];
  await folder.write(EVENTS, events.map((event) => `${JSON.stringify(event)}\n`).join(''));
  for (const [server, words] of (orders ?? []).entries()) await folder.write(orderFile(server), orderBytes(words));
  if (diagnostics !== null) await folder.write(DIAGNOSTICS, `${JSON.stringify(diagnostics)}\n`);
  const head = { format: FORMAT, formatVersion: FORMAT_VERSION, numericsVersion: NUMERICS_VERSION };
  await folder.write(RECORD, `${JSON.stringify({ ...head, ...model.record }, null, 2)}\n`);
}

/**
 * Loads a model folder.
 *
 * @throws PARAGRAD_MODEL_FOLDER when it is not one; PARAGRAD_MODEL_FILE when a file of it is damaged; PARAGRAD_MODEL_VERSION
 * when a later version wrote it.
 */
export async function loadModel(folder: string): Promise<FittedModel> {
  requireFolder(folder, 'loadModel(folder)');
  const recordFile = path.join(folder, RECORD);
  const text = await readFile(recordFile, 'utf8').catch((cause: unknown) => {
    throw new ParagradError('PARAGRAD_MODEL_FOLDER', `${folder} is not a model folder: it has no ${RECORD}`, {
      place: { file: folder },
      cause,
    });
  });
  const record = parseRecord(text, recordFile);
  const weightsFile = path.join(folder, WEIGHTS);
  const bytes = await readFile(weightsFile).catch((cause: unknown) => {
    throw new ParagradError('PARAGRAD_MODEL_FILE', `${folder} has no ${WEIGHTS}: the folder is not whole`, {
      place: { file: weightsFile },
      cause,
    });
  });
  const { tensors, metadata } = readSafetensors(bytes, weightsFile);
  const intercepts = tensors.intercept?.values ?? new Float64Array(0);
  const classes = record.target.kind === 'labels' ? record.target.labels.length : 1;
  const others = classes > 1 ? intercepts.slice(1) : undefined;
  const model = new FittedModel(record, vectorOf(tensors.weights?.values ?? new Float64Array(0), intercepts[0] ?? Number.NaN, others));
  const whole = intercepts.length === classes && model.vector.weights.length === classes * model.columns.length;
  if (!whole || model.weightsSha256 !== metadata.sha256)
    throw new ParagradError(
      'PARAGRAD_MODEL_FILE',
      `${weightsFile} does not hold the weights that were saved: it was damaged or exchanged`,
      {
        place: { file: weightsFile },
      },
    );
  return model;
}

function parseRecord(text: string, file: string): ModelRecord {
  let value: Partial<ModelRecord & { format: string; formatVersion: number }>;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new ParagradError('PARAGRAD_MODEL_FILE', `${file} is not JSON: it was damaged`, { place: { file }, cause });
  }
  if (value.format !== FORMAT) throw new ParagradError('PARAGRAD_MODEL_FOLDER', `${file} is not a model of paragrad`, { place: { file } });
  if (value.formatVersion !== FORMAT_VERSION)
    throw new ParagradError(
      'PARAGRAD_MODEL_VERSION',
      `${file} has format version ${value.formatVersion}; this version reads ${FORMAT_VERSION}: update paragrad`,
      {
        place: { file },
      },
    );
  const { name, encoder, target, rowColumns, layout, columnMeans, summary } = value;
  if (!name || !encoder || !target || !layout || !columnMeans || !summary)
    throw new ParagradError('PARAGRAD_MODEL_FILE', `${file} lacks a part of the model: it was damaged`, { place: { file } });
  return { name, encoder, target, rowColumns, layout, columnMeans, summary };
}

/** Name of the file in a run folder that has a server's order: words of 32 bits, little-endian. */
export function orderFile(server: number): string {
  return `order-${server}.i32`;
}

/** The bytes of a file of an order. */
function orderBytes(words: Int32Array): Uint8Array {
  return new Uint8Array(words.buffer, words.byteOffset, words.byteLength);
}
