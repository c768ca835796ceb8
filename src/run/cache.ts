import { createHash } from 'node:crypto';
import { readdir, rm, stat, utimes, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { FORMAT_VERSION, MANIFEST } from '../data/dataset/format.ts';
import { type Dataset, openDataset } from '../data/dataset/read.ts';
import { makeFolder } from '../data/folders.ts';
import { findFiles, type TableSource } from '../data/source-files.ts';
import { cacheFolder } from '../engines/cache-folder.ts';
import { ParagradError } from '../errors.ts';
import { encodingOptionsOf } from './dataset.ts';
import type { ResolvedOptions } from './options.ts';
import { isAlive } from './run-folder.ts';
import { NUMERICS_VERSION } from './version.ts';

/**
 * Datasets that were made from users' tables for workers to read, kept for the next run in the cache folder, up to
 * PARAGRAD_CACHE_BYTES (default 10 GiB); those not used for longest go first.
 */
const DEFAULT_BYTES = 10 * 1024 ** 3;
const KEY_LENGTH = 40;
const KEY = /^[0-9a-f]{40}$/u;
const USER = /^([0-9a-f]{40})\.(\d+)-\d+\.user$/u;
/** One that is being made (run-folder.ts). */
const PARTIAL = /^\.([0-9a-f]{40})\.partial-(\d+)-/u;

/** @throws PARAGRAD_OPTION */
function cacheBytes(env: NodeJS.ProcessEnv = process.env): number {
  const text = env.PARAGRAD_CACHE_BYTES ?? '';
  const bytes = text === '' ? DEFAULT_BYTES : Number(text);
  if (bytes >= 0) return bytes;
  throw new ParagradError('PARAGRAD_OPTION', `PARAGRAD_CACHE_BYTES must be a number of bytes, not '${text}'`);
}

/**
 * Name of what a table becomes with these options: another file, size, time of change, option or version gives another name.
 *
 * @throws PARAGRAD_FILE
 */
export async function cacheKey(source: TableSource, options: ResolvedOptions): Promise<string> {
  const identity = async (table: TableSource): Promise<unknown[]> => {
    const found = await findFiles(table);
    try {
      return await Promise.all(
        found.files.map(async (file) => {
          const { size, mtimeNs, ino } = await stat(file.path, { bigint: true });
          return [path.resolve(file.path), String(size), String(mtimeNs), String(ino)];
        }),
      );
    } finally {
      found.release();
    }
  };
  const { validationData, ...encoding } = encodingOptionsOf(options);
  const parts = {
    versions: [NUMERICS_VERSION, FORMAT_VERSION],
    files: await identity(source),
    validation: options.validationData === undefined ? null : await identity(options.validationData),
    // As it was written: it is part of what the dataset remembers.
    names: validationData ?? null,
    options: encoding,
  };
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, KEY_LENGTH);
}

export interface Cached {
  readonly dataset: Dataset;
  readonly made: boolean;
  /** It may be evicted from now on. */
  release(): Promise<void>;
  /** It is damaged: the next run makes it again. */
  discard(): Promise<void>;
}

let users = 0;

/** The dataset of a key, made by `build` where there is none. */
export async function cached(key: string, build: (folder: string) => Promise<unknown>): Promise<Cached> {
  const root = path.join(cacheFolder(), 'datasets');
  const limit = cacheBytes();
  try {
    makeFolder(root, 0o700);
  } catch (cause) {
    throw unusable(root, cause);
  }
  const folder = path.join(root, key);
  users += 1;
  // Who makes room leaves alone what another process reads.
  const marker = path.join(root, `${key}.${process.pid}-${users}.user`);
  await writeFile(marker, '').catch((cause: unknown) => {
    throw unusable(root, cause);
  });
  const release = (): Promise<void> => rm(marker, { force: true });
  try {
    const { dataset, made } = await found(folder, build);
    const now = new Date();
    await utimes(path.join(folder, MANIFEST), now, now).catch(() => undefined);
    await makeRoom(root, limit);
    return { dataset, made, release, discard: () => rm(folder, { recursive: true, force: true }) };
  } catch (error) {
    await release();
    throw error;
  }
}

async function found(folder: string, build: (folder: string) => Promise<unknown>): Promise<{ dataset: Dataset; made: boolean }> {
  try {
    return { dataset: await openDataset(folder, NUMERICS_VERSION), made: false };
  } catch {
    await rm(folder, { recursive: true, force: true });
  }
  try {
    await build(folder);
  } catch (error) {
    // Another process was faster: what it made is the same.
    if (!(error instanceof ParagradError && error.code === 'PARAGRAD_OUT_EXISTS')) throw error;
  }
  return { dataset: await openDataset(folder, NUMERICS_VERSION), made: true };
}

/** Removes the datasets that were not used for longest, until the rest is within the limit, and what processes left that are gone. */
async function makeRoom(root: string, limit: number): Promise<void> {
  const names = await readdir(root);
  const used = new Set<string>();
  for (const name of names) {
    const [, key, pid] = USER.exec(name) ?? PARTIAL.exec(name) ?? [];
    if (key === undefined) continue;
    if (isAlive(Number(pid))) used.add(key);
    else await rm(path.join(root, name), { recursive: true, force: true });
  }
  const entries = await Promise.all(names.filter((name) => KEY.test(name)).map((name) => measure(path.join(root, name), name)));
  let bytes = entries.reduce((sum, entry) => sum + entry.bytes, 0);
  for (const entry of entries.sort((a, b) => a.usedMs - b.usedMs)) {
    if (bytes <= limit) return;
    if (used.has(entry.name)) continue;
    await rm(entry.folder, { recursive: true, force: true });
    bytes -= entry.bytes;
  }
}

async function measure(folder: string, name: string): Promise<{ folder: string; name: string; bytes: number; usedMs: number }> {
  let bytes = 0;
  let usedMs = 0;
  for (const file of await readdir(folder).catch(() => [])) {
    const facts = await stat(path.join(folder, file)).catch(() => undefined);
    bytes += facts?.size ?? 0;
    if (file === MANIFEST) usedMs = facts?.mtimeMs ?? 0;
  }
  return { folder, name, bytes, usedMs };
}

function unusable(root: string, cause: unknown): ParagradError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new ParagradError('PARAGRAD_CACHE', `the cache folder ${root} cannot be used: ${why}: set PARAGRAD_CACHE to another folder`, {
    place: { file: root },
    cause,
  });
}
