import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { loadModel, resume, train } from '../../src/index.ts';
import { generator } from '../support/problems.ts';
import { checkpoints, ended } from '../support/programs.ts';

/** A training process that is killed, at moments that nobody chose, loses nothing that `--resume` does not bring back to the same bits. */
const CLI = resolve(import.meta.dirname, '../../dist/cli/main.js');
const KILLS = 24;

let folder = '';
let file = '';

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'paragrad-killed-'));
  file = join(folder, 'table.csv');
  const random = generator(11);
  const rows = Array.from({ length: 3000 }, () => {
    const x = Array.from({ length: 12 }, () => random() - 0.5);
    return [...x, x.reduce((sum, value, j) => sum + value * (j - 4), 0) + random() > 0.5 ? 'yes' : 'no'].join(',');
  });
  writeFileSync(file, `${Array.from({ length: 12 }, (_, j) => `x${j}`).join(',')},answer\n${rows.join('\n')}\n`);
});

afterAll(() => {
  rmSync(folder, { recursive: true });
});

const OPTIONS = ['--target', 'answer', '--optimizer', 'gradient-descent', '--tolerance', '0', '--max-passes', '3000'];

test(`${KILLS} kills by SIGKILL, each confirmed: the same bits as without`, async () => {
  const whole = (await train(file, { target: 'answer', optimizer: 'gradient-descent', tolerance: 0, maxPasses: 3000 })).summary;
  const random = generator(5);
  let killed = 0;
  for (let round = 0; killed < KILLS; round += 1) {
    expect(round).toBeLessThan(KILLS * 3);
    const run = `run${round}`;
    const out = join(folder, run);
    const first = spawn(process.execPath, [CLI, 'train', file, ...OPTIONS, '--out', out, '--checkpoint-every', '0'], { stdio: 'ignore' });
    const end = ended(first);
    await checkpoints(folder, run, 1 + Math.floor(random() * 40), first);
    first.kill('SIGKILL');
    if ((await end) !== 'SIGKILL') continue;
    killed += 1;
    expect(existsSync(join(out, 'model.json'))).toBe(false);
    const engine = killed % 3 === 0 ? ({ engine: 'threads', workers: 2 } as const) : {};
    const { summary } = await resume(out, engine);
    expect(summary.weightsSha256).toBe(whole.weightsSha256);
    expect(summary.passes).toBe(whole.passes);
    rmSync(out, { recursive: true });
  }
  const left = readdirSync(folder).filter((name) => name !== 'table.csv');
  expect(left).toEqual([]);
  console.log(`${killed} kills confirmed`);
});

test.each(['SIGINT', 'SIGTERM'] as const)(
  'Ctrl-C (%s) ends with a checkpoint and exit code 130; --resume goes on to the bits of an uninterrupted run',
  async (signal) => {
    const whole = (await train(file, { target: 'answer', optimizer: 'gradient-descent', tolerance: 0, maxPasses: 3000 })).summary;
    const out = join(folder, signal);
    const child = spawn(process.execPath, [CLI, 'train', file, ...OPTIONS, '--out', out, '--checkpoint-every', '0'], { stdio: 'ignore' });
    const end = ended(child);
    await checkpoints(folder, signal, 3, child);
    child.kill(signal);
    expect(await end).toBe(130);
    expect(readdirSync(join(out, 'checkpoints')).length).toBeGreaterThan(0);
    expect((await resume(out)).summary.weightsSha256).toBe(whole.weightsSha256);
  },
);

describe('every strategy', () => {
  const BATCHES = ['--target', 'answer', '--chunk-rows', '64', '--batch-size', '32', '--epochs', '12', '--checkpoint-every', '0'];

  test.each([
    ['local-sgd', 'processes', ['--participation', '0.5'], true],
    ['parameter-server', 'processes', ['--staleness', '0'], true],
    ['hogwild', 'threads', [], false],
  ] as const)('%s on %s, killed, resumed, interrupted and resumed again', async (strategy, engine, more, promises) => {
    const run = `${strategy}-${engine}`;
    const out = join(folder, run);
    const start = (...args: string[]): ChildProcess => spawn(process.execPath, [CLI, 'train', ...args], { stdio: 'ignore' });
    const how = ['--strategy', strategy, '--engine', engine, '--workers', '2', ...more];
    const first = start(file, ...BATCHES, ...how, '--out', out);
    const end = ended(first);
    await checkpoints(folder, run, 2, first);
    first.kill('SIGKILL');
    expect(await end).toBe('SIGKILL');
    const second = start('--resume', out, '--checkpoint-every', '0');
    const interrupted = ended(second);
    await checkpoints(folder, run, 1, second);
    second.kill('SIGINT');
    expect(await interrupted).toBe(130);
    const { summary } = await resume(out);
    expect(summary.reason).toBe('epochs done');
    expect(summary.batches?.epochs).toBeGreaterThanOrEqual(12);
    const best = (await train(file, { target: 'answer' })).summary;
    expect((summary.nullLoss - summary.loss) / (best.nullLoss - best.loss)).toBeGreaterThan(0.95);
    if (!promises) return;
    const without = join(folder, `${run}-without`);
    expect(await ended(start(file, ...BATCHES, ...how, '--out', without))).toBe(0);
    expect((await loadModel(without)).weightsSha256).toBe(summary.weightsSha256);
  });
});
