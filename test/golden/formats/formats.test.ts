import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { inspectDataset, loadModel, prepare, train } from '../../../src/index.ts';
import { ENCODING, type Expected, predictors, TABLE } from './program.ts';

/** The promise of docs/formats.md: files that an earlier version wrote are read, and mean what they meant. */
const before = process.cwd();
const expected = JSON.parse(readFileSync(join(import.meta.dirname, 'expected.json'), 'utf8')) as Expected;

beforeAll(() => process.chdir(import.meta.dirname));
afterAll(() => process.chdir(before));

describe('format 1 of datasets', () => {
  it('is intact, and trains to the same bits', async () => {
    const { verified, shards } = await inspectDataset('dataset', { verify: true });
    expect(shards).toBeGreaterThanOrEqual(3);
    expect(verified?.rows).toBe(120);
    expect((await train('dataset', {})).summary.weightsSha256).toBe(expected.trainedFromDataset);
    expect(expected.trainedFromDataset).toBe(expected.weightsSha256);
  });

  it('is what prepare writes: the same shards, but for the id in their heads', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'paragrad-formats-'));
    try {
      await prepare(TABLE, { ...ENCODING, out: join(folder, 'dataset') });
      const shards = readdirSync('dataset').filter((name) => name.startsWith('shard-'));
      const bytes = (path: string): string => readFileSync(path, 'latin1').replace(/"dataset":"[0-9a-f]{64}"/u, '');
      for (const name of shards) expect(bytes(join(folder, 'dataset', name)), name).toBe(bytes(join('dataset', name)));
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe('format 1 of models', () => {
  it('has the same weights and predictions', async () => {
    expect((await loadModel('model')).weightsSha256).toBe(expected.weightsSha256);
    expect(await predictors('model')).toEqual(expected.z);
  });
});
