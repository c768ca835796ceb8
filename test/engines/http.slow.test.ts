import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { MANIFEST, type Manifest } from '../../src/data/dataset/format.ts';
import { generate } from '../../src/run/generate/generate.ts';
import { prepare } from '../../src/run/prepare.ts';
import { train } from '../../src/run/train.ts';
import { type FileServer, fileServer } from '../support/http-server.ts';
import { Ground } from '../support/processes.ts';

/** Worker processes read a dataset at an address: each its own chunks, and nothing else. */
let ground: Ground;
let server: FileServer;
let folder: string;
beforeAll(async () => {
  ground = new Ground();
  folder = join(ground.folder, 'dataset');
  const table = join(ground.folder, 'table.csv');
  await generate({ rows: 1500, columns: 6, out: table });
  // Chunks beyond what is read to open a shard.
  await prepare(table, { target: 'y', dtype: 'f64', chunkRows: 128, shardBytes: 50_000, validationFraction: 0.1, out: folder });
  server = await fileServer(ground.folder);
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  ground.remove();
});

describe('worker processes and an address', () => {
  test('the bits of one thread; every chunk is asked for by one worker alone', async () => {
    const plain = await train(folder, { engine: 'inline' });
    server.asked.length = 0;
    const { summary } = await train(`${server.url}/dataset`, { engine: 'processes', workers: 3 });
    expect(summary.weightsSha256).toBe(plain.summary.weightsSha256);
    expect(summary.plan.chunks).toBeGreaterThanOrEqual(8);
    const manifest = JSON.parse(readFileSync(join(folder, MANIFEST), 'utf8')) as Manifest;
    const asked = server.asked.map(({ path, range }) => `${path} ${range}`);
    let chunks = 0;
    for (const { file, set, chunks: entries } of manifest.shards)
      for (const { x } of entries) {
        if (set !== 'training' || x === undefined || x[0] + x[1] <= 16 * 1024) continue;
        const range = `/dataset/${file} bytes=${x[0]}-${x[0] + x[1] - 1}`;
        expect(asked.filter((each) => each === range)).toHaveLength(1);
        chunks += 1;
      }
    expect(chunks).toBeGreaterThanOrEqual(4);
    expect(ground.left()).toEqual([]);
  });

  test('a worker that was lost reads its own chunks again', async () => {
    const options = { optimizer: 'gradient-descent', learningRate: 1e-3, tolerance: 0, maxPasses: 40 } as const;
    const plain = await train(folder, { ...options, engine: 'inline' });
    const { summary } = await train(`${server.url}/dataset`, { ...options, engine: 'processes', workers: 2, kill: ['1@20'] });
    expect(summary.restarts).toHaveLength(1);
    expect(summary.weightsSha256).toBe(plain.summary.weightsSha256);
    expect(ground.left()).toEqual([]);
  });
});
