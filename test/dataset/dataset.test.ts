import { mkdirSync, readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { cp } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { loadDataset, verifyDataset } from '../../src/data/dataset/load.ts';
import { openDataset } from '../../src/data/dataset/read.ts';
import { encodeTable } from '../../src/data/encode.ts';
import type { Encoded } from '../../src/data/encoded.ts';
import { openTable } from '../../src/data/open-table.ts';
import { type StoredSet, viewsOf } from '../../src/data/store.ts';
import { inspectDataset, tableOptions } from '../../src/run/dataset.ts';
import { resolveOptions } from '../../src/run/options.ts';
import { type PrepareOptions, prepare } from '../../src/run/prepare.ts';
import { resume } from '../../src/run/resume.ts';
import { train } from '../../src/run/train.ts';
import type { TrainOptions } from '../../src/run/train-options.ts';
import { NUMERICS_VERSION } from '../../src/run/version.ts';
import { failure, temporaryFolder, writeFile } from '../data/helpers.ts';
import { mixedCsv } from './tables.ts';

const folder = temporaryFolder();
const csv = writeFile(folder, 'table.csv', mixedCsv(1500));
/** Many chunks and several shards, or tests would show nothing. */
const SMALL = { chunkRows: 32, shardBytes: 30_000 };
const COLUMNS = { drop: ['answer'], weight: 'v', offset: 'o' };
let made = 0;

async function prepared(options: Omit<PrepareOptions, 'out'>, source = csv): Promise<string> {
  made += 1;
  const out = join(folder, `dataset-${made}`);
  await prepare(source, { ...SMALL, ...options, out });
  return out;
}

const files = (path: string): Record<string, string> =>
  Object.fromEntries(readdirSync(path).map((name) => [name, readFileSync(join(path, name)).toString('latin1')]));

const load = async (path: string): Promise<Encoded> => loadDataset(await openDataset(path, NUMERICS_VERSION));

function contents(encoded: Encoded, set: 'training' | 'validation'): unknown[] {
  const stored: StoredSet = encoded.store[set];
  return stored.chunks.map((_, chunk) => {
    const { rows, x, y, v, offset } = viewsOf(encoded.store, stored, chunk);
    return [rows, ...[x, y, v, offset].map((array) => (array === undefined ? undefined : Array.from(array)))];
  });
}

describe('file ≡ folder, to the bit', () => {
  it.each([
    ['numbers', { target: 'y', drop: ['answer'] }],
    ['weights and offsets', { target: 'y', ...COLUMNS }],
    ['f64, two classes', { target: 'answer', dtype: 'f64' }],
    ['no validation rows, no shuffling, not standardised', { target: 'y', validationFraction: 0, shuffle: 'none', standardize: false }],
  ] as [string, TrainOptions][])('encoded: %s', async (_, options) => {
    const path = await prepared(options as PrepareOptions);
    const fromFolder = await load(path);
    const table = await openTable(csv, options);
    const hooks = { signal: undefined, onProgress: () => undefined };
    const fromFile = await encodeTable(table, tableOptions(resolveOptions({ ...options, chunkRows: SMALL.chunkRows }), hooks));
    table.close();
    const { store: _a, seconds: _b, ...known } = fromFolder;
    const { store: _c, seconds: _d, ...wanted } = fromFile;
    expect(JSON.parse(JSON.stringify(known))).toEqual(JSON.parse(JSON.stringify(wanted)));
    expect(fromFolder.store.training.chunks.length).toBeGreaterThanOrEqual(8);
    for (const set of ['training', 'validation'] as const) expect(contents(fromFolder, set)).toEqual(contents(fromFile, set));
  });

  it.each([
    [
      { target: 'y', ...COLUMNS },
      { workers: 2, partition: 'rows' },
    ],
    [{ target: 'y', ...COLUMNS, dtype: 'f64' }, { engine: 'inline' }],
    [
      { target: 'answer', drop: ['v'] },
      { workers: 2, partition: 'columns' },
    ],
    [{ target: 'answer', dtype: 'f64', seed: 7 }, { tolerance: 0 }],
  ] as [TrainOptions, TrainOptions][])('trained: %j, %j', async (encoding, training) => {
    const path = await prepared(encoding as PrepareOptions);
    const fromFile = await train(csv, { ...encoding, ...training, chunkRows: SMALL.chunkRows });
    const fromFolder = await train(path, training);
    expect(fromFolder.summary.weightsSha256).toBe(fromFile.summary.weightsSha256);
    const { summary } = fromFolder;
    // All but what clocks say.
    expect({ ...summary, seconds: 0, costs: 0 }).toEqual({ ...fromFile.summary, seconds: 0, costs: 0 });
    expect(fromFolder.model.record.rowColumns).toEqual(fromFile.model.record.rowColumns);
  });

  it('arrays, with weights and offsets', async () => {
    const rows = 700;
    const source = {
      x: Float64Array.from({ length: rows * 3 }, (_, i) => Math.sin(i)),
      y: Float64Array.from({ length: rows }, (_, i) => Math.cos(i)),
      rows,
      columns: 3,
      weight: Float64Array.from({ length: rows }, (_, i) => i % 4),
      offset: Float64Array.from({ length: rows }, (_, i) => i / rows),
    };
    const out = join(folder, 'arrays');
    await prepare(source, { ...SMALL, out });
    const wanted = (await train(source, { chunkRows: SMALL.chunkRows })).summary.weightsSha256;
    expect((await train(out, {})).summary.weightsSha256).toBe(wanted);
    await inspectDataset(out, { verify: true });
  });

  it('of one row in each set, and of no column', async () => {
    const tiny = writeFile(folder, 'tiny.csv', `a,y\n1,2\n1,3\n1,5\n`);
    const path = await prepared({ target: 'y', validationFraction: 0.5, seed: 2 }, tiny);
    const { verified } = await inspectDataset(path, { verify: true });
    expect(verified?.rows).toBe(3);
    const encoded = await load(path);
    expect(encoded.store.training.layout.columns).toBe(0);
    expect(encoded.counts.training + encoded.counts.validation).toBe(3);
  });
});

describe('prepare', () => {
  it('gives the same bytes again, however the source is read', async () => {
    const first = files(await prepared({ target: 'y', ...COLUMNS }));
    expect(Object.keys(first).length).toBeGreaterThanOrEqual(4);
    expect(files(await prepared({ target: 'y', ...COLUMNS, memoryBytes: 1024 ** 3 }))).toEqual(first);
  });

  it('gives the same bytes with 1, 2 and 5 threads that read', async () => {
    // More rows than a thread takes at a time.
    const large = writeFile(folder, 'large.csv', mixedCsv(150_000));
    const options = { target: 'y', drop: ['answer', 'o', 'color'], chunkRows: 4096, shardBytes: 2 ** 20 };
    const one = files(await prepared({ ...options, workers: 1 }, large));
    for (const workers of [2, 5]) expect(files(await prepared({ ...options, workers }, large)), `${workers}`).toEqual(one);
  });

  it('says what it left out', async () => {
    const notes: string[] = [];
    await prepared({ target: 'y', onEvent: (event) => (event.kind === 'note' ? notes.push(event.text) : undefined) });
    expect(notes).toEqual(['30 rows were skipped: their target is missing']);
  });

  it('refuses a place that is taken, and replaces only what is ours', async () => {
    const path = await prepared({ target: 'y' });
    const again = (force: boolean, out = path): Promise<unknown> => prepare(csv, { target: 'y', out, force });
    expect((await failure(again(false))).code).toBe('PARAGRAD_OUT_EXISTS');
    await again(true);
    const foreign = join(folder, 'foreign');
    mkdirSync(foreign);
    writeFileSync(join(foreign, 'thesis.txt'), 'years of work');
    expect((await failure(again(true, foreign))).code).toBe('PARAGRAD_OUT_EXISTS');
    expect(readdirSync(foreign)).toEqual(['thesis.txt']);
  });

  it('leaves nothing when it fails or is ended', async () => {
    const place = join(folder, 'place');
    mkdirSync(place);
    const bad = writeFile(folder, 'bad.csv', `a,y\n${'1,2\n'.repeat(30_000)}x,3\n`);
    expect((await failure(prepare(bad, { target: 'y', out: join(place, 'd') }))).code).toBe('PARAGRAD_VALUE');
    const controller = new AbortController();
    const ended = prepare(csv, {
      target: 'y',
      out: join(place, 'd'),
      signal: controller.signal,
      onEvent: (event) => (event.kind === 'reading' && event.part === 'encode' ? controller.abort(new Error('enough')) : undefined),
    });
    await expect(ended).rejects.toThrow('enough');
    expect((await failure(prepare(csv, { target: 'y', out: join(csv, 'd') }))).code).toBe('PARAGRAD_OUT');
    expect(readdirSync(place)).toEqual([]);
  });

  it('names a memory that does not suffice before it reads', async () => {
    const error = await failure(prepare(csv, { target: 'y', out: join(folder, 'little'), memoryBytes: 2 ** 20 }));
    expect(error).toMatchObject({ code: 'PARAGRAD_MEMORY', place: { option: '--memory' } });
  });
});

describe('a dataset that is not whole', () => {
  let whole: string;
  let other: string;
  beforeAll(async () => {
    whole = await prepared({ target: 'y', ...COLUMNS });
    other = await prepared({ target: 'y', ...COLUMNS, seed: 1 });
  });

  async function broken(change: (path: string) => unknown): Promise<string> {
    made += 1;
    const path = join(folder, `broken-${made}`);
    await cp(whole, path, { recursive: true });
    await change(path);
    return path;
  }

  function edit(path: string, change: (bytes: Buffer) => Buffer | undefined): void {
    const bytes = readFileSync(path);
    writeFileSync(path, change(bytes) ?? bytes);
  }

  const SHARD = 'shard-00001.safetensors';
  const flip = (at: (length: number) => number) => (path: string) =>
    edit(join(path, SHARD), (bytes) => {
      const i = at(bytes.length);
      bytes[i] = (bytes[i] as number) ^ 4;
      return bytes;
    });
  const manifest = (change: (text: string) => string) => (path: string) =>
    edit(join(path, 'manifest.json'), (bytes) => Buffer.from(change(bytes.toString())));

  it.each([
    ['a flipped bit of x', flip((length) => Math.floor(length / 3)), 'PARAGRAD_DATASET_FILE', /is damaged: x of training chunk \d+/],
    ['a flipped bit at the end', flip((length) => length - 5), 'PARAGRAD_DATASET_FILE', /is damaged: row of training chunk/],
    ['a flipped bit in the head', flip(() => 20), 'PARAGRAD_DATASET_FILE', /damaged head/],
    ['a shard cut off', (path: string) => truncateSync(join(path, SHARD), 9000), 'PARAGRAD_DATASET_FILE', /was cut off/],
    ['an empty shard', (path: string) => truncateSync(join(path, SHARD), 0), 'PARAGRAD_DATASET_FILE', /was cut off/],
    ['a shard that grew', (path: string) => edit(join(path, SHARD), (b) => Buffer.concat([b, b])), 'PARAGRAD_DATASET_FILE', /bytes where/],
    [
      'a shard of another dataset',
      (path: string) => cp(join(other, SHARD), join(path, SHARD)),
      'PARAGRAD_DATASET_MIXED',
      /another dataset/,
    ],
    [
      'another dataset’s manifest',
      (path: string) => cp(join(other, 'manifest.json'), join(path, 'manifest.json')),
      'PARAGRAD_DATASET_MIXED',
      /mixed/,
    ],
    [
      'a changed manifest',
      manifest((text) => text.replace('"weighted": true', '"weighted": false')),
      'PARAGRAD_DATASET_FILE',
      /was changed/,
    ],
    ['a manifest cut off', manifest((text) => text.slice(0, -9)), 'PARAGRAD_DATASET_FILE', /is not JSON/],
    [
      'a later format',
      manifest((text) => text.replace('"formatVersion": 1', '"formatVersion": 2')),
      'PARAGRAD_DATASET_VERSION',
      /update paragrad/,
    ],
    [
      'other numerics',
      manifest((text) => text.replace('"numericsVersion": 1', '"numericsVersion": 9')),
      'PARAGRAD_DATASET_VERSION',
      /numericsVersion 9/,
    ],
    ['a foreign manifest', manifest(() => '{}'), 'PARAGRAD_DATASET_FOLDER', /not the manifest/],
  ] as [string, (path: string) => unknown, string, RegExp][])('%s', async (_, change, code, message) => {
    const path = await broken(change);
    for (const use of [() => train(path, {}), () => inspectDataset(path, { verify: true })]) {
      const error = await failure(use());
      expect(error).toMatchObject({ code, message: expect.stringMatching(message) });
      expect(error.place.file).toContain(path);
    }
  });

  it('a missing shard', async () => {
    const { rm } = await import('node:fs/promises');
    const path = await broken((copy) => rm(join(copy, SHARD)));
    expect(await failure(train(path, {}))).toMatchObject({
      code: 'PARAGRAD_DATASET_FILE',
      message: expect.stringContaining(`${SHARD} is missing`),
    });
  });

  it('a folder whose prepare was ended: shards, and no manifest', async () => {
    const { rm } = await import('node:fs/promises');
    const path = await broken((copy) => rm(join(copy, 'manifest.json')));
    expect((await failure(train(path, {}))).code).toBe('PARAGRAD_DATASET_FOLDER');
  });

  it('writes no model', async () => {
    const path = await broken(flip((length) => Math.floor(length / 3)));
    const out = join(folder, 'no-model');
    await failure(train(path, { out }));
    expect(readdirSync(folder).filter((name) => name.includes('no-model'))).toEqual([]);
  });

  it('the whole one is intact, whatever was done to its copies', async () => {
    const dataset = await openDataset(whole, NUMERICS_VERSION);
    const { training, validation } = dataset.manifest.counts;
    expect(await verifyDataset(dataset)).toMatchObject({ shards: dataset.shards.length, rows: training + validation });
  });
});

describe('training on a dataset', () => {
  it.each([
    ['--target', { target: 'y' }],
    ['--dtype', { dtype: 'f64' }],
    ['--validation-fraction', { validationFraction: 0.1 }],
    ['--no-standardize', { standardize: false }],
    ['--chunk-rows', { chunkRows: 64 }],
    ['--drop', { drop: ['a'] }],
  ] as [string, TrainOptions][])('refuses %s, which belongs to prepare', async (option, options) => {
    const path = await prepared({ target: 'y' });
    expect(await failure(train(path, options))).toMatchObject({ code: 'PARAGRAD_OPTION', place: { option } });
  });

  it('refuses what does not fit into memory before it reads', async () => {
    const dataset = await openDataset(await prepared({ target: 'y' }), NUMERICS_VERSION);
    const error = await failure(loadDataset({ ...dataset, folder: 'nowhere' }, { memoryBytes: 10_000 }));
    expect(error).toMatchObject({ code: 'PARAGRAD_MEMORY', message: expect.stringContaining('1470 rows') });
  });

  it('can be ended while it reads', async () => {
    const path = await prepared({ target: 'y' });
    const signal = AbortSignal.abort(new Error('enough'));
    await expect(loadDataset(await openDataset(path, NUMERICS_VERSION), { signal })).rejects.toThrow('enough');
  });

  it('goes on from a checkpoint to the same bits', async () => {
    const path = await prepared({ target: 'answer', weight: 'v', drop: ['y'] });
    const options: TrainOptions = { optimizer: 'gradient-descent', maxPasses: 60, tolerance: 0 };
    const whole = await train(path, options);
    const out = join(folder, 'interrupted');
    await train(path, { ...options, maxPasses: 20, out });
    const resumed = await resume(out, { maxPasses: 60 });
    expect(resumed.summary.weightsSha256).toBe(whole.summary.weightsSha256);
    expect(resumed.summary.passes).toBe(whole.summary.passes);
  });

  it('fills several segments', async () => {
    const path = await prepared({ target: 'y' });
    const dataset = await openDataset(path, NUMERICS_VERSION);
    const encoded = await loadDataset(dataset, { segmentBytes: 20_000 });
    expect(encoded.store.segments.length).toBeGreaterThan(2);
    expect(contents(encoded, 'training')).toEqual(contents(await loadDataset(dataset), 'training'));
  });
});
