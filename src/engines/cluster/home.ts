import { chmodSync, closeSync, openSync, readFileSync, renameSync, rmSync, writeSync } from 'node:fs';
import path from 'node:path';
import { makeFolder } from '../../data/folders.ts';
import { ParagradError } from '../../errors.ts';
import { cacheFolder } from '../cache-folder.ts';
import type { ClusterName } from './local-cluster.ts';

type Env = Readonly<Record<string, string | undefined>>;

/** The folder of one kind of cluster: its installations, its state, its log. */
export class ClusterHome {
  readonly folder: string;

  constructor(name: ClusterName, env: Env) {
    this.folder = path.join(cacheFolder(env), name);
  }

  file(name: string): string {
    return path.join(this.folder, name);
  }

  /** @throws PARAGRAD_FILE */
  make(): void {
    try {
      makeFolder(this.folder, 0o700);
    } catch (error) {
      const text = `${this.folder} cannot be made: ${(error as Error).message}: set PARAGRAD_CACHE to a folder that can be written`;
      throw new ParagradError('PARAGRAD_FILE', text, { place: { file: this.folder } });
    }
  }

  /** Writes a file that only its owner may read, whole or not at all. */
  writeSecret(name: string, text: string): void {
    const unfinished = this.file(`${name}.${process.pid}`);
    rmSync(unfinished, { force: true });
    const file = openSync(unfinished, 'wx', 0o600);
    try {
      writeSync(file, text);
    } finally {
      closeSync(file);
    }
    chmodSync(unfinished, 0o600);
    renameSync(unfinished, this.file(name));
  }

  /** Undefined where there is no such file. */
  read(name: string): string | undefined {
    try {
      return readFileSync(this.file(name), 'utf8');
    } catch {
      return undefined;
    }
  }

  remove(name: string): void {
    rmSync(this.file(name), { recursive: true, force: true });
  }

  /**
   * Runs `work` while no other command installs, starts or stops. A lock whose process is gone counts for nothing.
   *
   * @throws PARAGRAD_CLUSTER_BUSY
   */
  async locked<T>(work: () => Promise<T>): Promise<T> {
    this.make();
    this.#lock();
    try {
      return await work();
    } finally {
      this.remove('lock');
    }
  }

  #lock(): void {
    for (let attempt = 0; ; attempt += 1) {
      try {
        const file = openSync(this.file('lock'), 'wx', 0o600);
        writeSync(file, String(process.pid));
        closeSync(file);
        return;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
        const holder = Number(this.read('lock'));
        if (attempt > 2 || (holder > 0 && isAlive(holder)))
          throw new ParagradError(
            'PARAGRAD_CLUSTER_BUSY',
            `another command (process ${holder}) is installing, starting or stopping this cluster: wait until it is done, or remove ${this.file('lock')}`,
          );
        this.remove('lock');
      }
    }
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
