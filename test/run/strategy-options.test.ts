import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ArraySource } from '../../src/data/arrays.ts';
import { resolveOptions } from '../../src/run/options.ts';
import { train } from '../../src/run/train.ts';
import type { TrainOptions } from '../../src/run/train-options.ts';
import { generator } from '../support/problems.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'paragrad-test-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const random = generator(3);
const [rows, columns] = [600, 5];
const x = Float32Array.from({ length: rows * columns }, () => random() - 0.5);
const y = Float64Array.from({ length: rows }, (_, i) => x[i * columns] * 3 - x[i * columns + 1] + random() / 10);
const source: ArraySource = { x, rows, columns, y };

/** What does not make sense, and what to do instead. */
const REFUSED: readonly (readonly [TrainOptions, string, string])[] = [
  [{ strategy: 'ring' as 'gossip' }, '--strategy', 'one of map-reduce'],
  [{ staleness: 2 }, '--staleness', 'is for --strategy parameter-server'],
  [{ strategy: 'hogwild', clients: 3 }, '--clients', 'is for --strategy local-sgd'],
  [{ strategy: 'parameter-server', syncEvery: 3 }, '--sync-every', 'local-sgd or gossip'],
  [{ strategy: 'parameter-server', staleness: -1 }, '--staleness', 'whole number from 0'],
  [{ strategy: 'parameter-server', late: 'drop' as 'refuse' }, '--late', 'apply, damp, refuse, compensate'],
  [{ strategy: 'parameter-server', late: 'refuse', staleness: 2 }, '--late', 'use --late damp'],
  [{ strategy: 'local-sgd', participation: 0 }, '--participation', 'above 0'],
  [{ strategy: 'local-sgd', serverMomentum: 1 }, '--server-momentum', 'below 1'],
  [{ strategy: 'local-sgd', clients: 2, workers: 3 }, '--clients', 'at most 2 workers'],
  [{ strategy: 'gossip', topology: 'star' as 'ring' }, '--topology', 'ring, torus, complete'],
  [{ strategy: 'hogwild', engine: 'processes' }, '--strategy', '--engine threads'],
  [{ strategy: 'gossip', partition: 'columns' }, '--partition', '--partition rows'],
  [{ strategy: 'gossip', l2: 'auto' }, '--l2', '--strategy map-reduce'],
  [{ strategy: 'gossip', optimizer: 'svrg' }, '--optimizer', 'use sgd'],
  [{ strategy: 'gossip', optimizer: 'lbfgs' }, '--optimizer', 'takes mini-batches'],
  [{ strategy: 'gossip', earlyStopping: 3 }, '--early-stopping', '--epochs'],
  [{ strategy: 'gossip', explain: true }, '--explain', 'leave it out'],
];

test.each(REFUSED)('%j is refused, and what works is named', (options, option, says) => {
  expect(() => resolveOptions({ target: 'y', ...options })).toThrow(
    expect.objectContaining({ code: 'PARAGRAD_OPTION', place: { option } }),
  );
  expect(() => resolveOptions({ target: 'y', ...options })).toThrow(says);
});

describe('train', () => {
  const base = { chunkRows: 32, workers: 2, batchSize: 16, epochs: 5 } as const;

  test('more workers than chunks, more servers than weights: refused when the data are known', async () => {
    await expect(train(source, { ...base, chunkRows: 512, strategy: 'gossip', workers: 4 })).rejects.toMatchObject({
      code: 'PARAGRAD_PARTITION',
      place: { option: '--workers' },
    });
    await expect(train(source, { ...base, strategy: 'parameter-server', servers: 7 })).rejects.toMatchObject({
      place: { option: '--servers' },
    });
  });

  test('a run folder has what it cost and what was applied, and a replay of it gives its weights', async () => {
    const out = path.join(folder, 'recorded');
    const { summary } = await train(source, { ...base, strategy: 'parameter-server', out });
    expect(summary.costs?.ranks.map(({ role }) => role)).toEqual(['worker', 'worker', 'server']);
    const events = (await readFile(path.join(out, 'events.jsonl'), 'utf8'))
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(events.filter(({ kind }) => kind === 'step').length).toBeGreaterThan(5);
    expect(events.at(-1)).toMatchObject({ kind: 'costs', strategy: 'parameter-server', utilisation: summary.costs?.utilisation });
    const again = await train(source, { ...base, strategy: 'parameter-server', replay: out });
    expect(again.summary.weightsSha256).toBe(summary.weightsSha256);
  });

  test.each([
    ['local-sgd', 'client'],
    ['gossip', 'worker'],
  ] as const)('rounds of %s that are longer than the run are refused', async (strategy, whose) => {
    await expect(train(source, { ...base, strategy, syncEvery: 1e6 })).rejects.toMatchObject({
      code: 'PARAGRAD_OPTION',
      message: expect.stringContaining(`steps of a ${whose} in 5 epochs`),
      place: { option: '--sync-every' },
    });
  });

  test('a replay with other options than those of the run is refused', async () => {
    const out = path.join(folder, 'batches');
    const options = { ...base, strategy: 'parameter-server' } as const;
    await train(source, { ...options, batchSize: 16, out });
    await expect(train(source, { ...options, batchSize: 8, replay: out })).rejects.toMatchObject({
      code: 'PARAGRAD_REPLAY',
      message: expect.stringContaining('--batch-size was 16'),
      place: { option: '--batch-size' },
    });
    await expect(train(source, { ...options, batchSize: 16, late: 'damp', replay: out })).rejects.toThrow('--late was not given');
    const others = { start: 'zero', intercept: false, standardize: false, shuffle: 'none', drop: ['x1'], workers: 3 } as const;
    for (const [name, value] of Object.entries(others))
      await expect(train(source, { ...options, batchSize: 16, replay: out, [name]: value }), name).rejects.toMatchObject({
        code: 'PARAGRAD_REPLAY',
      });
  });

  test('a replay of a folder without an order, or with more workers, is refused', async () => {
    const out = path.join(folder, 'gossiped');
    await train(source, { ...base, strategy: 'gossip', out });
    await expect(train(source, { ...base, strategy: 'parameter-server', replay: out })).rejects.toMatchObject({ code: 'PARAGRAD_REPLAY' });
    const three = path.join(folder, 'three');
    await train(source, { ...base, workers: 3, strategy: 'parameter-server', out: three });
    await expect(train(source, { ...base, strategy: 'parameter-server', replay: three })).rejects.toMatchObject({
      code: 'PARAGRAD_REPLAY',
      place: { option: '--replay' },
    });
  });

  test('synchronous runs tell what they cost, too', async () => {
    const { summary } = await train(source, { chunkRows: 32, workers: 2, engine: 'threads' });
    expect(summary.costs).toMatchObject({ strategy: 'map-reduce', staleness: [] });
    expect(summary.costs?.ranks).toHaveLength(2);
    expect(summary.costs?.ranks[1]?.bytesSent).toBeGreaterThan(0);
  });
});
