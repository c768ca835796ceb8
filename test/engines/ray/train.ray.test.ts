import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ArraySource } from '../../../src/data/arrays.ts';
import { processesOf } from '../../../src/engines/cluster/processes.ts';
import { isOver } from '../../../src/engines/ray/job.ts';
import { RayJobs } from '../../../src/engines/ray/jobs-api.ts';
import { normal } from '../../../src/random.ts';
import { attach } from '../../../src/run/attach.ts';
import { loadModel } from '../../../src/run/model-folder.ts';
import { resume } from '../../../src/run/resume.ts';
import { type TrainedRun, train } from '../../../src/run/train.ts';
import type { TrainOptions } from '../../../src/run/train-options.ts';
import type { RunEvent } from '../../../src/run/types.ts';
import { describeWith } from '../../support/components.ts';
import { type RealCluster, realCluster } from './real-cluster.ts';

const ROWS = 2000;
const COLUMNS = 12;
const NODES = 3;
/** Small, so that every worker owns several chunks and blocks. */
const SHAPE = { chunkRows: 64, blockColumns: 2, validationFraction: 0.2, seed: 3 } as const;
/** So many steps that there is time for a node to be lost and replaced. */
const LONG = { ...SHAPE, optimizer: 'gradient-descent', learningRate: 1e-3, tolerance: 0, maxPasses: 6000 } as const;
/** So that a run, which else takes a moment, is still there when its progress has been heard of. */
const LINGER = { pause: ['1@3000=8s'] } as const;
const ON_RAY = { engine: 'ray', workers: NODES } as const;

const SOURCE: ArraySource = (() => {
  const x = Float64Array.from({ length: ROWS * COLUMNS }, (_, i) => normal(1, 'test', i));
  const y = Float64Array.from({ length: ROWS }, (_, i) => {
    let z = normal(2, 'test', i);
    for (let j = 0; j < COLUMNS; j += 1) z += (x[i * COLUMNS + j] as number) * ((j % 5) - 2);
    return z;
  });
  return { x, rows: ROWS, columns: COLUMNS, y };
})();

const sha = async (options: TrainOptions): Promise<string> => (await train(SOURCE, { ...options, engine: 'inline' })).summary.weightsSha256;

describeWith('ray', 'training on a Ray of three nodes', (stamp) => {
  let cluster: RealCluster;
  let state: { id: string; folder: string };
  let long: string;
  const before = process.env.PARAGRAD_CACHE;

  beforeAll(async () => {
    cluster = realCluster(stamp);
    process.env.PARAGRAD_CACHE = cluster.cache;
    await cluster.ray.start({ nodes: NODES });
    state = JSON.parse(readFileSync(join(cluster.cache, 'ray/cluster.json'), 'utf8')) as typeof state;
    long = await sha(LONG);
  });
  afterAll(async () => {
    if (before === undefined) delete process.env.PARAGRAD_CACHE;
    else process.env.PARAGRAD_CACHE = before;
    await cluster.stop();
  });

  const commandOf = (pid: number): string => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
    } catch {
      return '';
    }
  };
  /** Processes of the cluster whose command line is like that. */
  const processes = (pattern: RegExp): number[] => processesOf(state.id, state.folder).filter((pid) => pattern.test(commandOf(pid)));
  const WORKER = /worker\.mjs$/;
  const ACTOR = /^ray::Worker/;
  const everythingOfARun = /(worker|coordinator)\.mjs$|^ray::Worker|launcher\.py/;
  const noneIsLeft = (): Promise<void> => expect.poll(() => processes(everythingOfARun), { timeout: 30_000 }).toEqual([]);

  /** Runs with a fault from outside at the first sign of progress. */
  async function trainAndLose(pids: () => number[]): Promise<TrainedRun> {
    let killed: number | undefined;
    const run = await train(SOURCE, {
      ...LONG,
      ...LINGER,
      ...ON_RAY,
      onEvent: ({ kind }: RunEvent) => {
        if (kind !== 'steps' || killed !== undefined) return;
        killed = pids()[0];
        process.kill(killed as number, 'SIGKILL');
      },
    });
    expect(killed).toBeGreaterThan(0);
    await expect.poll(() => commandOf(killed as number), { timeout: 5000 }).toBe('');
    return run;
  }

  describe('gives the bits of one thread', () => {
    it.each([
      ['rows in f32, data in a shared folder', { partition: 'rows', dtype: 'f32' }],
      ['columns in f64, data sent with the job', { partition: 'columns', dtype: 'f64', rayData: 'send' }],
      [
        'a grid of both in f64, by servers, with this Node.js sent along',
        { partition: 'grid', workers: 4, dtype: 'f64', communicate: 'client-server', node: 'ship' },
      ],
    ] as const)('%s', async (_, options) => {
      const {
        partition: _partition,
        workers: _workers,
        rayData: _data,
        node: _node,
        communicate: _how,
        ...plain
      } = { workers: 0, rayData: '', node: '', communicate: '', ...options };
      const { summary } = await train(SOURCE, { ...SHAPE, ...ON_RAY, ...options });
      expect(summary.plan.chunks).toBeGreaterThanOrEqual(8);
      for (const share of summary.plan.shares) expect(share.bytes).toBeGreaterThan(0);
      expect(summary.weightsSha256).toBe(await sha({ ...SHAPE, ...plain }));
      await noneIsLeft();
    });
  });

  it('runs the example', () => {
    const root = resolve(import.meta.dirname, '../../..');
    const args = [join(root, 'scripts/run-ts.mjs'), 'examples/train-on-ray.ts'];
    const { stdout, status } = spawnSync(process.execPath, args, { cwd: root, encoding: 'utf8' });
    expect(status).toBe(0);
    expect(stdout).toMatch(/^here .* s {2}([0-9a-f]{16})\nthere .* s {2}\1\nthe same bits\n$/);
  });

  describe('has the other strategies', () => {
    it.each(['local-sgd', 'gossip'] as const)('%s: the bits of threads', async (strategy) => {
      const options = { ...SHAPE, workers: 2, strategy, epochs: 3 } as const;
      const there = await train(SOURCE, { ...options, engine: 'ray' });
      expect(there.summary.weightsSha256).toBe((await train(SOURCE, { ...options, engine: 'threads' })).summary.weightsSha256);
      await noneIsLeft();
    });

    it('a parameter server of two, one of which is lost: the optimum within 1 %, and gradients no older than said', async () => {
      const best = (await train(SOURCE, { ...SHAPE, engine: 'inline' })).summary;
      const staleness = 3;
      const { summary } = await train(SOURCE, {
        ...SHAPE,
        ...ON_RAY,
        workers: 2,
        strategy: 'parameter-server',
        servers: 2,
        staleness,
        epochs: 20,
        batchSize: 32,
        kill: ['3@20'],
      });
      expect(summary.restarts).toEqual([expect.objectContaining({ rank: 3, why: expect.stringContaining('SIGKILL') })]);
      expect((summary.nullLoss - summary.loss) / (best.nullLoss - best.loss)).toBeGreaterThan(0.99);
      const ages = summary.costs?.staleness ?? [];
      expect(ages.reduce((sum, each) => sum + each, 0)).toBeGreaterThan(0);
      expect(ages.length - 1).toBeLessThanOrEqual(staleness);
      await noneIsLeft();
    });
  });

  it('says at once that a token is wrong', async () => {
    process.env.RAY_AUTH_TOKEN = 'f'.repeat(64);
    try {
      const rayAddress = `${cluster.ray.address()?.url.replace('127.0.0.1', 'localhost')}`;
      await expect(train(SOURCE, { ...SHAPE, ...ON_RAY, rayAddress })).rejects.toMatchObject({ code: 'PARAGRAD_RAY_TOKEN' });
    } finally {
      delete process.env.RAY_AUTH_TOKEN;
    }
  });

  it('ends with an abort at the next step, keeps what was learned, and leaves nothing', async () => {
    const controller = new AbortController();
    const { summary } = await train(SOURCE, {
      ...LONG,
      ...ON_RAY,
      maxPasses: 1_000_000,
      signal: controller.signal,
      onEvent: ({ kind }) => {
        if (kind === 'steps') controller.abort();
      },
    });
    expect(summary.reason).toBe('aborted');
    expect(summary.passes).toBeGreaterThan(0);
    await noneIsLeft();
  });

  it('waits for room on the cluster, and can be stopped there', async () => {
    const controller = new AbortController();
    const notes: string[] = [];
    const waiting = train(SOURCE, {
      ...SHAPE,
      ...ON_RAY,
      workers: 20,
      signal: controller.signal,
      onEvent: (event) => {
        if (event.kind !== 'note') return;
        notes.push(event.text);
        if (event.text.startsWith('waiting for room')) controller.abort();
      },
    });
    await expect(waiting).rejects.toMatchObject({ name: 'AbortError' });
    expect(notes.join('\n')).toMatch(/waiting for room on the cluster: 20 workers of 1 CPUs/);
    await noneIsLeft();
  });

  it('can be left, and come back to', async () => {
    const folder = join(cluster.cache, 'left');
    const table = join(cluster.cache, 'table.csv');
    const main = resolve(import.meta.dirname, '../../../dist/cli/main.js');
    const { generate } = await import('../../../src/run/generate/generate.ts');
    await generate({ rows: 1500, columns: 6, out: table });
    const options = ['--chunk-rows', '64', '--optimizer', 'gradient-descent', '--tolerance', '0', '--max-passes', '800'];
    const child = spawn(
      process.execPath,
      [main, 'train', table, '--target', 'y', '--engine', 'ray', '--workers', '2', '--out', folder, ...options],
      {
        stdio: ['ignore', 'ignore', 'pipe'],
      },
    );
    const job = await new Promise<string>((found, failed) => {
      let text = '';
      child.stderr.setEncoding('utf8').on('data', (piece: string) => {
        text += piece;
        const name = /paragrad attach (paragrad-[0-9a-f]+)/.exec(text.replace(/\s+/g, ' '))?.[1];
        if (name !== undefined) found(name);
      });
      child.once('exit', () => failed(new Error(`ended before it was left: ${text}`)));
    });
    const jobs = new RayJobs(cluster.ray.address() as NonNullable<ReturnType<typeof cluster.ray.address>>);
    const isThere = (): Promise<boolean> =>
      jobs.job(job).then(
        ({ status }) => !isOver(status),
        () => false,
      );
    await expect.poll(isThere, { timeout: 30_000 }).toBe(true);
    child.kill('SIGKILL');
    const { summary } = await attach(job);
    const plain = await train(table, {
      target: 'y',
      engine: 'inline',
      chunkRows: 64,
      optimizer: 'gradient-descent',
      tolerance: 0,
      maxPasses: 800,
    });
    expect(summary.weightsSha256).toBe(plain.summary.weightsSha256);
    expect((await loadModel(folder)).summary.weightsSha256).toBe(summary.weightsSha256);
    await expect(attach(job)).rejects.toMatchObject({ code: 'PARAGRAD_RAY_JOB' });
    rmSync(folder, { recursive: true });
    await noneIsLeft();
  });

  it('can be resumed elsewhere, to the same bits, when the job itself was lost', async () => {
    const { generate } = await import('../../../src/run/generate/generate.ts');
    const table = join(cluster.cache, 'lost.csv');
    const out = join(cluster.cache, 'lost');
    await generate({ rows: 1500, columns: 6, out: table, force: true });
    const options = { ...LONG, target: 'y' } as const;
    let killed: number | undefined;
    const lost = train(table, {
      ...options,
      ...LINGER,
      ...ON_RAY,
      out,
      checkpointSeconds: 0.1,
      onEvent: ({ kind }) => {
        if (kind !== 'steps' || killed !== undefined || !existsSync(join(out, 'checkpoints'))) return;
        // The program itself, not the shell that Ray starts it by.
        killed = processes(/^\S*python3? launcher\.py$/)[0];
        process.kill(killed as number, 'SIGKILL');
      },
    });
    await expect(lost).rejects.toMatchObject({ code: 'PARAGRAD_RAY_JOB', message: expect.stringContaining('without a result') });
    expect(killed).toBeGreaterThan(0);
    await noneIsLeft();
    const { summary } = await resume(out, { engine: 'inline', workers: 1 });
    expect(summary.weightsSha256).toBe((await train(table, { ...options, engine: 'inline' })).summary.weightsSha256);
    rmSync(out, { recursive: true });
  });

  describe('goes on to the same bits after the loss of', () => {
    // Whichever is heard first: Ray, or the end of the worker's connections.
    const GONE = /was lost with its actor or node|lost its connection/;
    it.each([
      ['a worker’s Node.js', () => processes(WORKER), /was ended by SIGKILL/],
      ['an actor', () => processes(ACTOR), GONE],
      ['a node of the cluster', () => rayletsOfWorkers(), GONE],
    ] as const)('%s', async (_, pids, why) => {
      const { summary } = await trainAndLose(pids);
      expect(summary.restarts).toHaveLength(1);
      expect(summary.restarts?.[0]?.why).toMatch(why);
      expect(summary.weightsSha256).toBe(long);
      await noneIsLeft();
    });
  });

  /** Of nodes that are no head, and host a worker. */
  function rayletsOfWorkers(): number[] {
    const parents = new Set(processes(ACTOR).map(parentOf));
    return processes(/\/raylet /).filter((pid) => parents.has(pid) && !commandOf(pid).includes(join(state.folder, '0')));
  }
  const parentOf = (pid: number): number => Number(/^PPid:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);

  it('leaves no folder behind', () => {
    expect(readdirSync(join(cluster.cache, 'ray')).sort()).toEqual(['2.60.0', 'cluster.json', 'token']);
  });
});
