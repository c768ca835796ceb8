import { type ChildProcess, spawn } from 'node:child_process';
import { type Key, keyText } from '../../communicate/streams/key.ts';
import { createSocketFolder } from '../socket-folder.ts';
import type { Invitation } from '../worker/orders.ts';
import { workerFile } from '../worker-file.ts';
import type { Launched, Launcher } from './launcher.ts';

/** Of what a worker wrote to its error output, this much is repeated when it ends. */
const TAIL_CHARS = 2000;

/**
 * What a worker has beside its data is mostly bytes on their way, in arrays that die young: dead objects, dead arrays (garbage.ts)
 * and what glibc keeps of freed ones would be most of it. Measured for a part of 112 MB: 290 MB without these, 220 MB with them.
 */
const NODE_OPTIONS = ['--max-semi-space-size=2', '--expose-gc'];
const MALLOC = { MALLOC_TRIM_THRESHOLD_: '1000000', MALLOC_ARENA_MAX: '2' };

/** Variables of the environment that the bundle reads: the key is never an argument, which everybody could see. */
export function environmentOf(invitation: Invitation, key: Key | undefined): Record<string, string> {
  return { PARAGRAD_INVITATION: JSON.stringify(invitation), ...(key === undefined ? {} : { PARAGRAD_KEY: keyText(key) }) };
}

/**
 * Workers that are children of this process, met by unix sockets in a folder that only the user may enter. Each is a session of its
 * own for the system, so that Ctrl-C in the terminal reaches the coordinator alone.
 */
export const local = {
  name: 'local',
  async open() {
    const folder = await createSocketFolder();
    return {
      control: folder.addressOf('control'),
      key: undefined,
      folders: [folder.path],
      addressOf: (rank, attempt) => folder.addressOf(`${rank}.${attempt}`),
      close: () => folder.remove(),
    };
  },
  start: (invitation: Invitation, key: Key | undefined): Launched => new LocalWorker(invitation, key),
} satisfies Launcher;

class LocalWorker implements Launched {
  readonly #child: ChildProcess;
  readonly gone: Promise<string>;

  constructor(invitation: Invitation, key: Key | undefined) {
    // A key of the user's own is not for a worker that needs none.
    const { PARAGRAD_KEY: _, ...inherited } = process.env;
    const env = { ...MALLOC, ...inherited, ...environmentOf(invitation, key) };
    const child = spawn(process.execPath, [...NODE_OPTIONS, workerFile()], { detached: true, env, stdio: ['ignore', 'ignore', 'pipe'] });
    let said = '';
    child.stderr?.on('data', (bytes: Buffer) => {
      said = (said + bytes.toString()).slice(-TAIL_CHARS);
    });
    this.#child = child;
    this.gone = new Promise((resolve) => {
      child.once('error', (error) => resolve(`could not be started: ${error.message}`));
      // Not `exit`: what it said last would be missing.
      child.once('close', (code, signal) => {
        const how = signal === null ? `ended with exit code ${code}` : `was ended by ${signal}`;
        resolve(said.trim() === '' ? how : `${how}: ${said.trim()}`);
      });
    });
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }
}
