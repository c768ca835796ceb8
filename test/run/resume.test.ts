import { copyFileSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { loadModel, resume, type TrainOptions, train } from '../../src/index.ts';

/** Law: a run that is resumed, however often and on however many workers, ends with the bits of an uninterrupted one. */
let folder = '';
let file = '';

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'paragrad-resume-'));
  file = join(folder, 'classes.csv');
  const rows = Array.from({ length: 350 }, (_, i) => {
    const [a, b] = [Math.sin(i * 1.7) * 3, Math.cos(i * 0.9)];
    const c = ['red', 'green', 'blue', 'grey'][(i * 7) % 4] as string;
    return `${a},${b},${c},${i % 13},${a - 2 * b + (c === 'red' ? 1 : 0) + 3 * Math.sin(i * 12.9898) > 0 ? 'yes' : 'no'},${a * 3 - b + Math.sin(i)}`;
  });
  writeFileSync(file, `a,b,c,d,answer,value\n${rows.join('\n')}\n`);
});

afterAll(() => {
  rmSync(folder, { recursive: true });
});

const CASES: [string, TrainOptions][] = [
  ['linear conjugate-gradient f32', { target: 'value', drop: ['answer'], tolerance: 0 }],
  ['linear lbfgs f64', { target: 'value', drop: ['answer'], optimizer: 'lbfgs', dtype: 'f64', tolerance: 0 }],
  ['logistic lbfgs f32', { target: 'answer', drop: ['value'], tolerance: 0 }],
  ['linear newton-cg f64', { target: 'value', drop: ['answer'], optimizer: 'newton-cg', dtype: 'f64', tolerance: 0 }],
  ['logistic nesterov f32', { target: 'answer', drop: ['value'], optimizer: 'nesterov', maxPasses: 24, tolerance: 0 }],
  ['logistic l2 auto f64', { target: 'answer', drop: ['value'], l2: 'auto', dtype: 'f64', tolerance: 0 }],
  ['linear sgd of batches f32', { target: 'value', drop: ['answer'], batchSize: 32, maxPasses: 14, tolerance: 0 }],
  ['logistic svrg f32', { target: 'answer', drop: ['value'], optimizer: 'svrg', batchSize: 100, maxPasses: 14, tolerance: 0 }],
  [
    'linear sgd of batches, no preconditioner',
    { target: 'value', drop: ['answer'], batchSize: 5, precondition: 'none', maxPasses: 12, tolerance: 0 },
  ],
  ['logistic gradient-descent f32', { target: 'answer', drop: ['value'], optimizer: 'gradient-descent', maxPasses: 24, tolerance: 0 }],
];

describe('resumed ≡ uninterrupted', () => {
  test.each(CASES)('%s', async (name, options) => {
    const whole = (await train(file, { chunkRows: 16, ...options })).summary;
    const out = join(folder, `run ${name}`);
    const last = options.maxPasses ?? 1000;
    let { summary } = await train(file, { chunkRows: 16, ...options, out, maxPasses: 2, checkpointSeconds: 0 });
    expect(summary.reason).toBe('max passes');
    let resumed = 0;
    // Early, late, and between: each time about twice as far.
    for (let passes = 5; !summary.converged && summary.passes < last; passes = 2 * passes + 1) {
      const engine = resumed === 1 ? ({ engine: 'threads', workers: 3, partition: 'grid' } as const) : {};
      summary = (await resume(out, { maxPasses: Math.min(passes, last), ...engine })).summary;
      resumed += 1;
    }
    expect(resumed).toBeGreaterThanOrEqual(2);
    expect(summary.weightsSha256).toBe(whole.weightsSha256);
    expect([summary.passes, summary.iterations, summary.reason]).toEqual([whole.passes, whole.iterations, whole.reason]);
    expect((await loadModel(out)).weightsSha256).toBe(whole.weightsSha256);
    const steps = readFileSync(join(out, 'events.jsonl'), 'utf8')
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as { iteration: number });
    expect(new Set(steps.map(({ iteration }) => iteration)).size).toBe(steps.length);
  });
});

async function interrupted(name: string): Promise<string> {
  const out = join(folder, name);
  await train(file, { target: 'value', drop: ['answer'], tolerance: 0, out, maxPasses: 5, checkpointSeconds: 0 });
  return out;
}

const checkpointsOf = (run: string): string[] => readdirSync(join(run, 'checkpoints')).sort();

test('the last two checkpoints are kept; a damaged one is set aside, and the one before is used', async () => {
  const out = await interrupted('damaged');
  const whole = (await train(file, { target: 'value', drop: ['answer'], tolerance: 0 })).summary;
  const [, newest] = checkpointsOf(out) as [string, string];
  expect(checkpointsOf(out).length).toBe(2);
  const path = join(out, 'checkpoints', newest);
  const bytes = readFileSync(path);
  bytes[bytes.length - 3] = (bytes[bytes.length - 3] as number) ^ 4;
  writeFileSync(path, bytes);
  const notes: string[] = [];
  const { summary } = await resume(out, { maxPasses: 1000, onEvent: (event) => event.kind === 'note' && notes.push(event.text) });
  expect(notes[0]).toContain(newest);
  expect(summary.weightsSha256).toBe(whole.weightsSha256);
  expect(existsSync(join(out, 'checkpoints'))).toBe(false);
});

test('other data, no checkpoint, no run folder: refused, and nothing is lost', async () => {
  const out = await interrupted('changed');
  const before = checkpointsOf(out);
  const kept = join(folder, 'kept.csv');
  copyFileSync(file, kept);
  writeFileSync(file, readFileSync(file, 'utf8').replaceAll(',red,', ',blue,'));
  await expect(resume(out, { maxPasses: 1000 })).rejects.toMatchObject({ code: 'PARAGRAD_RESUME' });
  copyFileSync(kept, file);
  expect(checkpointsOf(out)).toEqual(before);
  expect((await resume(out, { maxPasses: 1000 })).summary.converged).toBe(true);
  await expect(resume(out)).rejects.toMatchObject({ code: 'PARAGRAD_RESUME' });
  await expect(resume(folder)).rejects.toMatchObject({ code: 'PARAGRAD_RESUME' });
});

test('a run can start at the weights of a model, column by column', async () => {
  const out = join(folder, 'first');
  const first = (await train(file, { target: 'value', drop: ['answer'], dtype: 'f64', out })).summary;
  const again = (await train(file, { target: 'value', drop: ['answer'], dtype: 'f64', init: out })).summary;
  expect(again.passes).toBeLessThan(first.passes);
  expect(again.loss).toBeCloseTo(first.loss, 6);
  await expect(train(file, { target: 'answer', drop: ['value'], init: out })).rejects.toMatchObject({ code: 'PARAGRAD_OPTION' });
});

test('early stopping keeps the weights of the lowest validation loss, on any split', async () => {
  const options: TrainOptions = {
    target: 'answer',
    drop: ['value'],
    optimizer: 'gradient-descent',
    l2: 0,
    tolerance: 0,
    earlyStopping: 3,
    maxPasses: 4000,
    chunkRows: 16,
  };
  const one = (await train(file, options)).summary;
  const three = (await train(file, { ...options, engine: 'threads', workers: 3 })).summary;
  expect(three.weightsSha256).toBe(one.weightsSha256);
  expect(three.passes).toBe(one.passes);
  const { earlyStopping: _patience, ...patient } = options;
  const later = (await train(file, { ...patient, maxPasses: one.passes + 1 })).summary;
  expect(one.validationLoss).toBeLessThanOrEqual(later.validationLoss as number);
});
