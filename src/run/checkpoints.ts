import { open, readdir, readFile, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { crc32c } from '../crc32c.ts';
import { makeFolder } from '../data/folders.ts';
import { readSafetensors, type Tensor, writeSafetensors } from '../data/safetensors.ts';
import { ParagradError } from '../errors.ts';
import type { Checkpoint } from '../strategies/job.ts';
import { NUMERICS_VERSION } from './version.ts';

/**
 * Checkpoints of a run folder: `checkpoints/<number>.safetensors`, each written whole under another name and renamed, the last two
 * kept. Arrays are tensors; all else is JSON in the metadata, with a checksum over both.
 */
const FOLDER = 'checkpoints';
const FORMAT = 'paragrad-checkpoint';
const KEPT = 2;
const NAME = /^(\d{6})\.safetensors$/;

export class CheckpointWriter {
  readonly #folder: string;
  #number = 0;
  #last: Promise<void> = Promise.resolve();
  #failure: unknown;

  /** `run`: the run folder. */
  constructor(run: string) {
    this.#folder = path.join(run, FOLDER);
  }

  /** Starts writing; what is still being written comes first. A failure shows in `finish`. */
  write(checkpoint: Checkpoint, before: () => Promise<void>): void {
    this.#last = this.#last.then(async () => {
      try {
        await before();
        await this.#write(checkpoint);
      } catch (error) {
        this.#failure ??= error;
      }
    });
  }

  /** @throws PARAGRAD_OUT when a checkpoint could not be written. */
  async finish(): Promise<void> {
    await this.#last;
    if (this.#failure === undefined) return;
    if (this.#failure instanceof ParagradError) throw this.#failure;
    const why = this.#failure instanceof Error ? this.#failure.message : String(this.#failure);
    throw new ParagradError('PARAGRAD_OUT', `a checkpoint in ${this.#folder} cannot be written: ${why}`, {
      place: { file: this.#folder },
      cause: this.#failure,
    });
  }

  async #write(checkpoint: Checkpoint): Promise<void> {
    makeFolder(this.#folder);
    const numbers = await numbersIn(this.#folder);
    this.#number = Math.max(this.#number, ...numbers) + 1;
    const partial = path.join(this.#folder, `.partial-${process.pid}`);
    try {
      const file = await open(partial, 'w');
      try {
        await file.writeFile(bytesOf(checkpoint));
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(partial, path.join(this.#folder, nameOf(this.#number)));
    } catch (error) {
      await rm(partial, { force: true });
      throw error;
    }
    for (const old of numbers.slice(0, Math.max(0, numbers.length - KEPT + 1)))
      await rm(path.join(this.#folder, nameOf(old)), { force: true });
  }
}

const nameOf = (number: number): string => `${String(number).padStart(6, '0')}.safetensors`;

/** Is there a checkpoint in a run folder? */
export async function hasCheckpoint(run: string): Promise<boolean> {
  return (await numbersIn(path.join(run, FOLDER))).length > 0;
}

/** Numbers of the checkpoints there, ascending. */
async function numbersIn(folder: string): Promise<number[]> {
  const names = await readdir(folder).catch(() => []);
  return names
    .flatMap((name) => NAME.exec(name)?.[1] ?? [])
    .map(Number)
    .sort((a, b) => a - b);
}

/**
 * The newest whole checkpoint of a run folder; damaged ones are set aside as `….damaged`, and named.
 *
 * @throws PARAGRAD_RESUME when there is none; PARAGRAD_MODEL_VERSION when it is of another numerical contract.
 */
export async function readCheckpoint(run: string): Promise<{ checkpoint: Checkpoint; damaged: string[] }> {
  const folder = path.join(run, FOLDER);
  const damaged: string[] = [];
  for (const number of (await numbersIn(folder)).reverse()) {
    const file = path.join(folder, nameOf(number));
    try {
      return { checkpoint: checkpointOf(await readFile(file), file), damaged };
    } catch (error) {
      if (error instanceof ParagradError && error.code === 'PARAGRAD_MODEL_VERSION') throw error;
      await rename(file, `${file}.damaged`).catch(() => undefined);
      damaged.push(file);
    }
  }
  const why = damaged.length > 0 ? `all of its checkpoints are damaged (${damaged.join(', ')})` : 'it has no checkpoint';
  throw new ParagradError('PARAGRAD_RESUME', `${run} cannot be resumed: ${why}`, { place: { file: run, option: '--resume' } });
}

function bytesOf(checkpoint: Checkpoint): Uint8Array {
  const tensors: Record<string, Tensor> = {};
  const value = JSON.stringify(packed(checkpoint, tensors));
  const metadata = { format: FORMAT, numericsVersion: String(NUMERICS_VERSION), value, crc32c: String(checksum(value, tensors)) };
  return writeSafetensors(tensors, metadata);
}

function checkpointOf(bytes: Uint8Array, file: string): Checkpoint {
  const { tensors, metadata } = readSafetensors(bytes, file);
  const { format, numericsVersion, value } = metadata;
  if (format !== FORMAT || value === undefined || metadata.crc32c !== String(checksum(value, tensors)))
    throw new ParagradError('PARAGRAD_MODEL_FILE', `${file} is not a whole checkpoint`, { place: { file } });
  if (numericsVersion !== String(NUMERICS_VERSION))
    throw new ParagradError(
      'PARAGRAD_MODEL_VERSION',
      `${file} is of numerics version ${numericsVersion}, this is ${NUMERICS_VERSION}: train anew`,
      {
        place: { file },
      },
    );
  return unpacked(JSON.parse(value), tensors) as Checkpoint;
}

function checksum(value: string, tensors: Readonly<Record<string, Tensor>>): number {
  let crc = crc32c(new TextEncoder().encode(value));
  for (const { values } of Object.values(tensors)) crc = crc32c(new Uint8Array(values.buffer, values.byteOffset, values.byteLength), crc);
  return crc;
}

/** JSON has no arrays of doubles, and lacks some numbers. */
type Packed = { readonly $tensor: string } | { readonly $flags: string } | { readonly $number: string } | { readonly $undefined: true };

function packed(value: unknown, tensors: Record<string, Tensor>): unknown {
  if (value instanceof Float64Array) {
    const name = `t${Object.keys(tensors).length}`;
    tensors[name] = { dtype: 'F64', shape: [value.length], values: value };
    return { $tensor: name } satisfies Packed;
  }
  // Flags of columns, as part of the problem that a state carries.
  if (value instanceof Uint8Array) return { $flags: Buffer.from(value).toString('hex') } satisfies Packed;
  if (ArrayBuffer.isView(value)) throw new ParagradError('PARAGRAD_INTERNAL', 'internal error: state that is not plain');
  if (typeof value === 'number' && (!Number.isFinite(value) || Object.is(value, -0)))
    return { $number: Object.is(value, -0) ? '-0' : String(value) } satisfies Packed;
  if (value === undefined) return { $undefined: true } satisfies Packed;
  if (Array.isArray(value)) return value.map((item) => packed(item, tensors));
  if (typeof value === 'object' && value !== null)
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, packed(item, tensors)]));
  return value;
}

function unpacked(value: unknown, tensors: Readonly<Record<string, Tensor>>): unknown {
  if (Array.isArray(value)) return value.map((item) => unpacked(item, tensors));
  if (typeof value !== 'object' || value === null) return value;
  if ('$tensor' in value) return tensors[value.$tensor as string]?.values;
  if ('$flags' in value) return Uint8Array.from(Buffer.from(String(value.$flags), 'hex'));
  if ('$number' in value) return Number(value.$number);
  if ('$undefined' in value) return undefined;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, unpacked(item, tensors)]));
}
