import { type ChildProcess, spawn } from 'node:child_process';
import { rmSync, watch } from 'node:fs';
import { join, resolve } from 'node:path';
import { build } from 'esbuild';

const ROOT = resolve(import.meta.dirname, '../..');

/** The command line as it is in src/, bundled for one file of tests: at the depth of dist/cli/main.js, so that it finds what is beside it. */
export class CommandLine {
  readonly file: string;

  constructor(name: string) {
    this.file = join(ROOT, `dist/${name}-${process.pid}/main.mjs`);
  }

  async build(): Promise<void> {
    const options = { bundle: true, platform: 'node', format: 'esm', packages: 'external' } as const;
    await build({ entryPoints: [join(ROOT, 'src/cli/main.ts')], outfile: this.file, absWorkingDir: ROOT, ...options });
  }

  remove(): void {
    rmSync(resolve(this.file, '..'), { recursive: true, force: true });
  }
}

/** A program of Node.js in a process of its own, and what it says. */
export class Program {
  readonly child: ChildProcess;
  text = '';
  readonly ended: Promise<number | NodeJS.Signals>;
  #watchers: (() => void)[] = [];

  constructor(argv: readonly string[], options: { readonly cwd?: string; readonly env: NodeJS.ProcessEnv }) {
    this.child = spawn(process.execPath, argv, { ...options, stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [this.child.stdout, this.child.stderr])
      stream?.on('data', (bytes: Buffer) => {
        this.text += bytes.toString();
        for (const watcher of this.#watchers) watcher();
      });
    this.ended = new Promise((done) => {
      this.child.once('close', (code, signal) => {
        done(signal ?? code ?? -1);
        for (const watcher of this.#watchers) watcher();
      });
    });
  }

  /** Resolves when it has said this; rejects when it has ended without. */
  said(pattern: RegExp): Promise<RegExpExecArray> {
    return new Promise((done, reject) => {
      const watcher = (): void => {
        const match = pattern.exec(this.text);
        if (match !== null) done(match);
        else if (this.child.exitCode !== null || this.child.signalCode !== null)
          reject(new Error(`ended without ${pattern}: ${this.text}`));
      };
      this.#watchers.push(watcher);
      watcher();
    });
  }
}

/** How a process ends: its exit code, or the signal. */
export function ended(child: ChildProcess): Promise<NodeJS.Signals | number | null> {
  return new Promise((done) => {
    child.once('exit', (code, signal) => done(signal ?? code));
  });
}

/** Resolves when `count` checkpoints of a run have been put into its folder in `folder`, by events of the file system; or at the end of its process. */
export function checkpoints(folder: string, run: string, count: number, child: ChildProcess): Promise<void> {
  return new Promise((done) => {
    let seen = 0;
    const watcher = watch(folder, { recursive: true }, (_event, name) => {
      if (name === null || !/checkpoints.*\d{6}\.safetensors$/u.test(name) || !name.startsWith(run)) return;
      seen += 1;
      if (seen < count) return;
      watcher.close();
      done();
    });
    child.once('exit', () => {
      watcher.close();
      done();
    });
  });
}
