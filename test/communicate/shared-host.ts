import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { build } from 'esbuild';
import { createSharedCollective, reportLost } from '../../src/communicate/shared/memory.ts';
import type { Host, Outcome } from './script.ts';
import type { Job } from './worker.ts';

/** Every rank in a worker thread of its own; this thread watches. Workers are kept between runs. */
export async function sharedHost(): Promise<Host> {
  const folder = await mkdtemp(join(tmpdir(), 'paragrad-test-'));
  const file = join(folder, 'worker.mjs');
  const source = fileURLToPath(new URL('./worker.ts', import.meta.url));
  await build({ entryPoints: [source], outfile: file, bundle: true, platform: 'node', format: 'esm', target: 'node20' });
  const workers: (Worker | undefined)[] = [];

  const playIn = (member: number, job: Job): Promise<Outcome[]> =>
    new Promise((resolve, reject) => {
      const worker = workers[member] ?? new Worker(file);
      workers[member] = worker;
      let outcomes: Outcome[] | undefined;
      const onMessage = (answer: { outcomes?: Outcome[]; crash?: string }): void => {
        outcomes = answer.outcomes;
        if (job.calls.at(-1)?.do === 'die') {
          void worker.terminate();
          return;
        }
        worker.off('message', onMessage).off('error', onError).off('exit', onExit);
        if (outcomes === undefined) reject(new Error(answer.crash));
        else resolve(outcomes);
      };
      const onError = (error: unknown): void => reject(error);
      const onExit = (): void => {
        workers[member] = undefined;
        for (const m of job.memberships) if (m !== undefined) reportLost(m.handle, m.rank);
        resolve(outcomes ?? []);
      };
      worker.on('message', onMessage).on('error', onError).on('exit', onExit);
      worker.postMessage(job);
    });

  return {
    name: 'shared memory',
    smallBytesOf: (size) => (size === 2 ? 16_384 : 4096),
    messagesOf: (size, isSmall) => (size === 1 ? 0 : isSmall ? 1 : 2),
    bytesOf: (size, isSmall, { parts, segment }) => (size === 1 ? 0 : isSmall ? parts : parts + segment),
    async run(calls, options = {}) {
      const groups = (options.groups ?? [calls.map((_, member) => member)]).map((members) => ({
        members,
        handle: createSharedCollective({
          size: members.length,
          workers: calls.length,
          timeoutMs: options.timeoutMs ?? 20_000,
          ...(options.slabBytes === undefined ? {} : { slabBytes: options.slabBytes }),
        }),
      }));
      return Promise.all(
        calls.map((script, member) => {
          const memberships = groups.map(({ members, handle }) => {
            const rank = members.indexOf(member);
            if (rank < 0) return undefined;
            return { rank, handle: { ...handle, generation: options.generations?.[member] ?? 0, step: options.steps?.[member] ?? 0 } };
          });
          return playIn(member, { calls: script, memberships });
        }),
      );
    },
    async end() {
      await Promise.all(workers.map((worker) => worker?.terminate()));
      await rm(folder, { recursive: true, force: true });
    },
  };
}
