import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve as path } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { prepare } from '../../src/run/prepare.ts';
import { resume } from '../../src/run/resume.ts';
import { train } from '../../src/run/train.ts';
import type { TrainOptions } from '../../src/run/train-options.ts';
import type { RunEvent, RunSummary } from '../../src/run/types.ts';
import { generator } from '../support/problems.ts';
import { Ground } from '../support/processes.ts';
import { checkpoints, ended } from '../support/programs.ts';

/** Whole runs on worker processes: from a table through the cache, from arrays, killed, interrupted, resumed. */
const CLI = path(import.meta.dirname, '../../dist/cli/main.js');
let ground: Ground;
let file: string;

beforeAll(() => {
  ground = new Ground();
  file = join(ground.folder, 'table.csv');
  const random = generator(11);
  const rows = Array.from({ length: 3000 }, () => {
    const x = Array.from({ length: 12 }, () => random() - 0.5);
    return [...x, x.reduce((sum, value, j) => sum + value * (j - 4), 0) + random() > 0.7 ? 'yes' : 'no'].join(',');
  });
  writeFileSync(file, `${Array.from({ length: 12 }, (_, j) => `x${j}`).join(',')},answer\n${rows.join('\n')}\n`);
});
afterAll(() => ground.remove());
afterEach(() => expect(ground.left()).toEqual([]));

const SHAPE = { target: 'answer', chunkRows: 64, blockColumns: 2 } as const;

async function onProcesses(options: Partial<TrainOptions>): Promise<{ summary: RunSummary; notes: string[] }> {
  const notes: string[] = [];
  const onEvent = (event: RunEvent): void => {
    if (event.kind === 'note') notes.push(event.text);
  };
  const { summary } = await train(file, { ...SHAPE, engine: 'processes', workers: 2, onEvent, ...options });
  return { summary, notes };
}

describe('a table', () => {
  test('is encoded once, and read from the cache by the next run; another option is another dataset', async () => {
    const whole = (await train(file, SHAPE)).summary;
    const first = await onProcesses({});
    expect(first.notes[0]).toMatch(/made for this run and the next/u);
    const second = await onProcesses({ partition: 'columns', workers: 3 });
    expect(second.notes[0]).toMatch(/made before/u);
    for (const { summary } of [first, second]) {
      expect(summary.weightsSha256).toBe(whole.weightsSha256);
      expect(summary.validation).toEqual(whole.validation);
      expect(summary.coefficients).toEqual(whole.coefficients);
      expect(summary.schema).toEqual(whole.schema);
    }
    expect((await onProcesses({ seed: 3 })).notes[0]).toMatch(/made for this run/u);
  });

  test('balanced classes, f64, weights: the bits of one thread', async () => {
    const options = { classWeight: 'balanced', dtype: 'f64', weight: 'x0', drop: ['x1'] } as const;
    const positive = join(ground.folder, 'weighted.csv');
    writeFileSync(
      positive,
      'x0,x1,x2,answer\n'.concat(
        Array.from({ length: 900 }, (_, i) => `${i % 4},${i},${Math.sin(i)},${i % 3 === 0 ? 'yes' : 'no'}\n`).join(''),
      ),
    );
    const whole = (await train(positive, { ...SHAPE, ...options })).summary;
    const own = (await train(positive, { ...SHAPE, ...options, engine: 'processes', workers: 3 })).summary;
    expect(own.weightsSha256).toBe(whole.weightsSha256);
    expect(own.schema.classWeights).toEqual(whole.schema.classWeights);
  });

  test('a damaged dataset of the cache is an error, and is made again by the next run', async () => {
    const { notes } = await onProcesses({ seed: 9 });
    const folder = /dataset (\S+),/u.exec(notes[0] as string)?.[1] as string;
    const shard = join(folder, 'shard-00000.safetensors');
    writeFileSync(shard, 'damaged');
    await expect(onProcesses({ seed: 9 })).rejects.toMatchObject({ code: 'PARAGRAD_DATASET_FILE' });
    expect((await onProcesses({ seed: 9 })).notes[0]).toMatch(/made for this run/u);
  });

  test('the cache stays below its limit: what was not used for longest goes first', async () => {
    process.env.PARAGRAD_CACHE_BYTES = '1';
    try {
      await onProcesses({ seed: 4 });
      const kept = (): string[] => readdirSync(join(ground.folder, 'cache', 'datasets'));
      // The one in use stays.
      expect(kept()).toHaveLength(1);
      await onProcesses({ seed: 5 });
      expect(kept()).toHaveLength(1);
    } finally {
      delete process.env.PARAGRAD_CACHE_BYTES;
    }
  });
});

test('a dataset folder is read as it is, and arrays leave nothing behind', async () => {
  const out = join(ground.folder, 'dataset');
  await prepare(file, { ...SHAPE, out });
  const before = readdirSync(join(ground.folder, 'cache', 'datasets'));
  const whole = (await train(out, {})).summary;
  expect((await train(out, { engine: 'processes', workers: 3, partition: 'grid' })).summary.weightsSha256).toBe(whole.weightsSha256);
  const x = Float64Array.from({ length: 4000 }, (_, i) => Math.sin(i * i));
  const arrays = { x, rows: 400, columns: 10, y: x.subarray(0, 400) };
  const inline = (await train(arrays, { engine: 'inline' })).summary;
  expect((await train(arrays, { engine: 'processes', workers: 2 })).summary.weightsSha256).toBe(inline.weightsSha256);
  expect(readdirSync(join(ground.folder, 'cache', 'datasets'))).toEqual(before);
});

const OPTIONS = ['--target', 'answer', '--optimizer', 'gradient-descent', '--tolerance', '0', '--max-passes', '3000', '--chunk-rows', '64'];
const LIBRARY = { target: 'answer', optimizer: 'gradient-descent', tolerance: 0, maxPasses: 3000, chunkRows: 64 } as const;

function start(out: string, ...more: string[]): ChildProcess {
  const args = [CLI, 'train', file, ...OPTIONS, '--engine', 'processes', '--workers', '3', '--out', out, ...more];
  return spawn(process.execPath, args, { stdio: 'ignore' });
}

/** Until nothing is left, or the deadline of the test. */
async function cleared(): Promise<void> {
  while (ground.left().length > 0) await new Promise((done) => setTimeout(done, 20));
}

test('the coordinator is killed: workers end by themselves, leave nothing, and --resume goes on to the same bits', async () => {
  const whole = (await train(file, LIBRARY)).summary;
  for (const count of [1, 7]) {
    const out = join(ground.folder, `killed${count}`);
    const child = start(out, '--checkpoint-every', '0');
    const end = ended(child);
    await checkpoints(ground.folder, `killed${count}`, count, child);
    child.kill('SIGKILL');
    expect(await end).toBe('SIGKILL');
    await cleared();
    expect(existsSync(join(out, 'model.json'))).toBe(false);
    // As it was begun; then with another engine.
    const { summary } = await resume(out, count === 1 ? {} : { engine: 'inline', workers: 1 });
    expect(summary.weightsSha256).toBe(whole.weightsSha256);
    expect(summary.plan.engine).toBe(count === 1 ? 'processes' : 'inline');
    rmSync(out, { recursive: true });
  }
});

test('the coordinator is killed that had read standard input: the rows that only this run had are removed, too', async () => {
  const out = join(ground.folder, 'piped');
  const args = [CLI, 'train', '-', ...OPTIONS, '--engine', 'processes', '--workers', '2', '--out', out, '--checkpoint-every', '0'];
  const child = spawn(process.execPath, args, { stdio: ['pipe', 'ignore', 'ignore'] });
  const end = ended(child);
  child.stdin?.end(readFileSync(file));
  await checkpoints(ground.folder, 'piped', 2, child);
  expect(ground.left().some((name) => name.startsWith('paragrad-rows-'))).toBe(true);
  child.kill('SIGKILL');
  expect(await end).toBe('SIGKILL');
  await cleared();
});

test('Ctrl-C ends with a checkpoint and exit code 130, and --resume goes on', async () => {
  const whole = (await train(file, LIBRARY)).summary;
  const out = join(ground.folder, 'interrupted');
  const child = start(out, '--checkpoint-every', '0');
  const end = ended(child);
  await checkpoints(ground.folder, 'interrupted', 3, child);
  child.kill('SIGINT');
  expect(await end).toBe(130);
  expect((await resume(out)).summary.weightsSha256).toBe(whole.weightsSha256);
});

test('too many losses end with an error and a checkpoint, from which --resume goes on', async () => {
  const whole = (await train(file, LIBRARY)).summary;
  const out = join(ground.folder, 'lost');
  const options = { ...LIBRARY, engine: 'processes', workers: 3, out, maxRestarts: 1 } as const;
  const run = train(file, { ...options, kill: ['1@100', '1@200'] });
  await expect(run).rejects.toMatchObject({ code: 'PARAGRAD_WORKER_LOST', place: { rank: 1 } });
  const { summary } = await resume(out);
  expect(summary.weightsSha256).toBe(whole.weightsSha256);
  expect(summary.passes).toBe(whole.passes);
  expect(summary.restarts).toBeUndefined();
});

test('a worker killed on the way is in the summary and in the notes; a fault that never came to pass is told of', async () => {
  const whole = (await train(file, { ...SHAPE, ...LIBRARY })).summary;
  const { summary, notes } = await onProcesses({
    ...LIBRARY,
    workers: 3,
    kill: ['2@50:all-to-all', '0@1:reduce'],
  });
  expect(summary.weightsSha256).toBe(whole.weightsSha256);
  expect(summary.restarts).toMatchObject([{ rank: 2, generation: 0, phase: 'all-to-all', why: 'was ended by SIGKILL' }]);
  expect(notes.some((text) => text.startsWith('worker 2 was ended by SIGKILL: it is replaced'))).toBe(true);
  expect(notes.some((text) => text.startsWith('--kill 0@1: the worker never came to phase reduce'))).toBe(true);
});
