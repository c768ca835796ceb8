import { constants } from 'node:fs';
import { access, lstat, mkdir, open, readdir, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { makeFolder } from '../data/folders.ts';
import { ParagradError } from '../errors.ts';
import { hasCheckpoint } from './checkpoints.ts';

/**
 * A folder that appears whole or not at all: files are written under another name beside it, which is renamed at the end.
 */
export class NewFolder {
  readonly path: string;
  /** Its name until it is whole. */
  readonly #partial: string;
  readonly #force: boolean;
  readonly #kind: FolderKind;
  /** The folder is this run's own: it holds checkpoints, or is being resumed. */
  #own = false;
  /** The folder was made for checkpoints, and holds nothing else. */
  #made = false;

  private constructor(target: string, partial: string, force: boolean, kind: FolderKind) {
    this.path = target;
    this.#partial = partial;
    this.#force = force;
    this.#kind = kind;
  }

  /**
   * Claims the place before hours are spent on what should go there.
   *
   * @throws PARAGRAD_OUT_EXISTS when something is there already (with `force`: something that is no folder of this kind);
   * PARAGRAD_OUT when the place cannot be written.
   */
  static async claim(target: string, force: boolean, kind: FolderKind): Promise<NewFolder> {
    await checkFree(target, force, kind);
    const partial = path.join(path.dirname(target), `.${path.basename(target)}.partial-${process.pid}-${Date.now().toString(36)}`);
    try {
      makeFolder(path.dirname(target));
      await sweep(target);
      await mkdir(partial);
      await access(partial, constants.W_OK);
    } catch (error) {
      throw unwritable(target, error);
    }
    return new NewFolder(target, partial, force, kind);
  }

  /** Writes a file to the end, and to the disk. */
  async write(name: string, content: string | Uint8Array): Promise<void> {
    try {
      const file = await open(path.join(this.#partial, name), 'wx');
      try {
        await file.writeFile(content);
        await file.sync();
      } finally {
        await file.close();
      }
    } catch (error) {
      throw unwritable(this.path, error);
    }
  }

  /**
   * Lets others write into the folder, under the name that it has until it is whole; they see to it that all is on the disk.
   *
   * @throws PARAGRAD_OUT for a failure of the file system
   */
  async fill<T>(work: (folder: string) => Promise<T>): Promise<T> {
    try {
      return await work(this.#partial);
    } catch (error) {
      throw error instanceof Error && 'syscall' in error && !(error instanceof ParagradError) ? unwritable(this.path, error) : error;
    }
  }

  /** Takes over a run folder, to resume it. */
  static async resume(target: string): Promise<NewFolder> {
    const folder = await NewFolder.claim(target, true, 'run');
    folder.#own = true;
    return folder;
  }

  /** Makes the folder before it is whole, for a run's checkpoints: with a configuration, and without a model. */
  async begin(name: string, content: string): Promise<void> {
    if (this.#own) return;
    await checkFree(this.path, this.#force, this.#kind);
    // A model that is to be replaced stays until its successor is whole; checkpoints of its run would be taken for ours.
    this.#made = makeFolder(this.path);
    await rm(path.join(this.path, 'checkpoints'), { recursive: true, force: true });
    await writeFile(path.join(this.path, name), content);
    this.#own = true;
  }

  /** Gives the folder its name; a replaced one is gone only then. Of the replaced one, `keep` moves over. */
  async commit(keep: readonly string[] = []): Promise<void> {
    try {
      if (!this.#own) await checkFree(this.path, this.#force, this.#kind);
      for (const name of keep)
        if (await exists(path.join(this.path, name))) await rename(path.join(this.path, name), path.join(this.#partial, name));
      const old = `${this.#partial}-old`;
      this.#made = false;
      const replaced = await exists(this.path);
      if (replaced) await rename(this.path, old);
      await rename(this.#partial, this.path);
      await sync(path.dirname(this.path));
      if (replaced) await rm(old, { recursive: true, force: true });
    } catch (error) {
      if (error instanceof ParagradError) throw error;
      throw unwritable(this.path, error);
    }
  }

  /** Leaves nothing behind, but a run that can be resumed. */
  async discard(): Promise<void> {
    await rm(this.#partial, { recursive: true, force: true });
    if (this.#made && !(await hasCheckpoint(this.path))) await rm(this.path, { recursive: true, force: true });
  }
}

/** A name is on the disk when its folder is. Not every system can do that. */
async function sync(folder: string): Promise<void> {
  const handle = await open(folder, 'r').catch(() => undefined);
  await handle?.sync().catch(() => undefined);
  await handle?.close();
}

async function exists(target: string): Promise<boolean> {
  return lstat(target).then(
    () => true,
    () => false,
  );
}

/** What a folder holds: a run replaces runs, a dataset datasets. */
type FolderKind = 'run' | 'dataset';

/** Files that each kind has, with a word that no other program's have at their beginning. */
const OWN_FILES: Readonly<Record<FolderKind, readonly string[]>> = { run: ['model.json', 'config.json'], dataset: ['manifest.json'] };
const OWN_WORD = '"numericsVersion"';

/** Removes what killed processes left beside the target: unfinished folders whose process is gone. */
async function sweep(target: string): Promise<void> {
  const parent = path.dirname(target);
  const prefix = `.${path.basename(target)}.partial-`;
  for (const name of await readdir(parent)) {
    if (!name.startsWith(prefix)) continue;
    const pid = Number(name.slice(prefix.length).split('-')[0]);
    if (Number.isSafeInteger(pid) && !isAlive(pid)) await rm(path.join(parent, name), { recursive: true, force: true });
  }
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return !(error instanceof Error && 'code' in error && error.code === 'ESRCH');
  }
}

async function checkFree(target: string, force: boolean, kind: FolderKind): Promise<void> {
  if (!(await exists(target))) return;
  const place = { file: target, option: '--out' };
  if (!force)
    throw new ParagradError('PARAGRAD_OUT_EXISTS', `${target} exists already: choose another --out, or --force to replace it`, { place });
  const files = await readdir(target).catch(() => undefined);
  if (files?.length === 0 || (await isOurs(target, kind))) return;
  const what = (await isOurs(target, kind === 'run' ? 'dataset' : 'run'))
    ? `is a ${kind === 'run' ? 'dataset' : 'run'} folder, where a ${kind} folder is written`
    : 'is not a folder that paragrad made';
  throw new ParagradError('PARAGRAD_OUT_EXISTS', `${target} ${what}, and is not replaced even with --force: choose another --out`, {
    place,
  });
}

async function isOurs(target: string, kind: FolderKind): Promise<boolean> {
  for (const name of OWN_FILES[kind]) if ((await headOf(path.join(target, name))).includes(OWN_WORD)) return true;
  return false;
}

/** The first 4 KiB of a file; '' where there is none. */
async function headOf(file: string): Promise<string> {
  const handle = await open(file, 'r').catch(() => undefined);
  try {
    const { buffer, bytesRead } = (await handle?.read(Buffer.alloc(4096), 0, 4096, 0)) ?? { buffer: Buffer.alloc(0), bytesRead: 0 };
    return buffer.toString('latin1', 0, bytesRead);
  } catch {
    return '';
  } finally {
    await handle?.close();
  }
}

function unwritable(target: string, error: unknown): ParagradError {
  const why = error instanceof Error ? error.message : String(error);
  return new ParagradError('PARAGRAD_OUT', `${target} cannot be written: ${why}`, {
    place: { file: target, option: '--out' },
    cause: error,
  });
}
