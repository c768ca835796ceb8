import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type ArraySource, mergeArrayMoments, statisticsOfBlock } from '../../src/data/arrays.ts';
import { type EncodeTableOptions, encodeTable } from '../../src/data/encode.ts';
import { encodeArrays } from '../../src/data/encode-arrays.ts';
import { encodeRows, expectedByModel } from '../../src/data/encode-rows.ts';
import type { Encoded } from '../../src/data/encoded.ts';
import { writeEncoded } from '../../src/data/encoded-file.ts';
import { encodedColumns, encodedWidth } from '../../src/data/encoder.ts';
import { isValidation } from '../../src/data/split.ts';
import { indexOf, viewsOf } from '../../src/data/store.ts';
import { INGEST_ROWS } from '../../src/data/table.ts';
import { panelRows, panelsOfChunk } from '../../src/partition/layout.ts';
import { permutation, uniform } from '../../src/random.ts';
import { encodedRows, failure, rowsOf, temporaryFolder, withTable, writeFile } from './helpers.ts';

const folder = temporaryFolder();
let files = 0;

async function encode(csv: string, options: EncodeTableOptions): Promise<Encoded> {
  files += 1;
  const path = writeFile(folder, `t${files}.csv`, csv);
  return withTable(path, options, (table) => encodeTable(table, options));
}

const table = (header: string, rows: string[]): string => `${header}\n${rows.join('\n')}\n`;

describe('encodeTable', () => {
  const rows = 300;
  const csv = table(
    'y,n,c,b,k',
    Array.from(
      { length: rows },
      (_, i) => `${i % 50 === 7 ? '' : i * 2},${i % 9 === 0 ? '' : (i * 37) % 101},${['u', 'v', '', 'w'][i % 4]},${i % 3 === 0},5`,
    ),
  );

  it.each(['f32', 'f64'] as const)('gives what the definition gives, row by row (%s)', async (dtype) => {
    const encoded = await encode(csv, { target: 'y', dtype, seed: 5, chunkRows: 16 });
    const round = dtype === 'f32' ? Math.fround : Number;
    const number = encodedColumns(encoded.encoder)[0];
    expect(encodedColumns(encoded.encoder).map((c) => c.name)).toEqual(['n', 'n missing', 'c=u', 'c=v', 'c=w', 'c missing', 'b']);
    expect(encoded.schema.columns.map((c) => c.role)).toEqual(['target', 'feature', 'feature', 'feature', 'constant']);
    const used = [...Array(rows).keys()].filter((i) => i % 50 !== 7);
    const training = used.filter((i) => !isValidation({ seed: 5, fraction: 0.2 }, i));
    const values = training.filter((i) => i % 9 !== 0).map((i) => (i * 37) % 101);
    const mean = values.reduce((s, x) => s + x, 0) / values.length;
    expect(number?.mean).toBeCloseTo(mean, 12);
    expect(number?.scale).toBeCloseTo(Math.sqrt(values.reduce((s, x) => s + (x - mean) ** 2, 0) / values.length), 12);
    const found = encodedRows(encoded);
    expect([...found.keys()].sort((a, b) => a - b)).toEqual(used);
    for (const i of used) {
      const indicator = (yes: boolean): number => (yes ? 1 : 0);
      const n = (i * 37) % 101;
      const x = [
        i % 9 === 0 ? 0 : round((n - (number?.mean as number)) / (number?.scale as number)),
        indicator(i % 9 === 0),
        ...[0, 1, 3, 2].map((m) => indicator(i % 4 === m)),
        indicator(i % 3 === 0),
      ];
      expect(found.get(i)).toEqual({ x, y: i * 2, v: 1, set: training.includes(i) ? 'training' : 'validation' });
    }
    expect(encoded.counts).toEqual({
      rows,
      withoutTarget: 6,
      training: training.length,
      validation: used.length - training.length,
      missingValues: used.filter((i) => i % 9 === 0).length + used.filter((i) => i % 4 === 2).length,
      unseenCategories: 0,
    });
    expect(encoded.targetStatistics.mean).toBeCloseTo(training.reduce((s, i) => s + i * 2, 0) / training.length, 9);
  });

  it('places training rows by the permutation of their window, validation rows as they come, padding as zeros', async () => {
    const encoded = await encode(csv, { target: 'y', seed: 9, chunkRows: 64 });
    const { layout } = encoded.store.training;
    const sorted = [...encoded.trainingRows].sort((a, b) => a - b);
    for (let p = 0; p < layout.rows; p += 1) {
      const window = Math.floor(p / 64);
      const inside = permutation(9, 'shuffle', window, Math.min(64, layout.rows - window * 64)).at(p - window * 64);
      expect(encoded.trainingRows[p]).toBe(sorted[window * 64 + inside]);
    }
    expect([...encoded.validationRows]).toEqual([...encoded.validationRows].sort((a, b) => a - b));
    const last = layout.chunks - 1;
    const views = viewsOf(encoded.store, encoded.store.training, last);
    for (let i = views.rows; i < panelsOfChunk(layout, last) * panelRows('f32'); i += 1) {
      expect([views.v[i], views.y[i]]).toEqual([0, 0]);
      for (let j = 0; j < layout.columns; j += 1) expect(views.x[indexOf(layout, i, j)]).toBe(0);
    }
    expect(encoded.store.validation.layout.chunkRows).toBe(64);
  });

  it('differs in placement only when shuffled otherwise', async () => {
    const options = { target: 'y', chunkRows: 16 };
    const windows = encodedRows(await encode(csv, options));
    const none = await encode(csv, { ...options, shuffle: 'none' });
    const all = await encode(csv, { ...options, shuffle: 'rows' });
    expect(encodedRows(none)).toEqual(windows);
    expect(encodedRows(all)).toEqual(windows);
    expect([...none.trainingRows]).toEqual([...none.trainingRows].sort((a, b) => a - b));
    expect([...all.trainingRows]).not.toEqual([...none.trainingRows]);
  });

  it('takes several segments and batches: more rows than a block, many chunks', async () => {
    const many = INGEST_ROWS + 4321;
    const encoded = await encode(
      table(
        'y,n',
        Array.from({ length: many }, (_, i) => `${i},${i % 1000}`),
      ),
      { target: 'y', chunkRows: 2048, segmentBytes: 100_000 },
    );
    expect(encoded.store.segments.length).toBeGreaterThan(3);
    const found = encodedRows(encoded);
    expect(found.size).toBe(many);
    const { mean, scale } = encodedColumns(encoded.encoder)[0] as { mean: number; scale: number };
    for (let i = 0; i < many; i += 997) expect(found.get(i)).toMatchObject({ x: [Math.fround(((i % 1000) - mean) / scale)], y: i });
  });

  it('survives odd columns: 10,000 categories, constant, collinear, all missing, one row, no column', async () => {
    const odd = await encode(
      table(
        'y,c,k,a,b,e',
        Array.from({ length: 25_000 }, (_, i) => `${i % 7},c${i % 10_000},1,${i % 13},${(i % 13) * 2},`),
      ),
      { target: 'y' },
    );
    expect(encodedWidth(odd.encoder)).toBe(259);
    expect(odd.schema.columns.map((c) => c.role)).toEqual(['target', 'feature', 'constant', 'feature', 'feature', 'empty']);
    const one = await encode(table('y,a', ['3,4']), { target: 'y', validationFraction: 0 });
    expect([one.store.training.layout.rows, encodedWidth(one.encoder), one.schema.columns[1]?.role]).toEqual([1, 0, 'constant']);
    const none = await encode(table('y', ['1', '2', '3']), { target: 'y', validationFraction: 0 });
    expect([none.store.training.layout.rows, none.store.training.layout.columns]).toEqual([3, 0]);
  });

  it('counts categories that only validation rows have', async () => {
    const held = [...Array(200).keys()].find((i) => uniform(0, 'split', i) < 0.2) as number;
    const encoded = await encode(
      table(
        'y,c',
        Array.from({ length: 200 }, (_, i) => `${i},${i === held ? 'rare' : ['p', 'q'][i % 2]}`),
      ),
      { target: 'y' },
    );
    expect(encoded.counts.unseenCategories).toBe(1);
    expect(encodedRows(encoded).get(held)?.x).toEqual([0, 0]);
  });

  it('chooses the model by the target, and the later class as the positive one', async () => {
    const of = async (values: string[], options: Partial<EncodeTableOptions> = {}) => {
      const encoded = await encode(
        table(
          'a,y',
          Array.from({ length: 60 }, (_, i) => `${i % 11},${values[i % values.length]}`),
        ),
        { target: 'y', validationFraction: 0, ...options },
      );
      return { model: encoded.model, target: encoded.target, mean: encoded.targetStatistics.mean };
    };
    expect(await of(['no', 'yes', 'yes'])).toMatchObject({
      model: 'logistic',
      target: { negative: 'no', positive: 'yes' },
      mean: expect.closeTo(2 / 3, 12),
    });
    expect(await of(['no', 'yes', 'yes'], { positive: 'no' })).toMatchObject({
      target: { positive: 'no' },
      mean: expect.closeTo(1 / 3, 12),
    });
    expect(await of(['true', 'false', ''])).toMatchObject({
      model: 'logistic',
      target: { positive: 'true' },
      mean: expect.closeTo(0.5, 12),
    });
    expect(await of(['0', '1', '1'])).toMatchObject({ model: 'logistic', target: { positive: '1' } });
    expect(await of(['0', '1', '1'], { model: 'linear' })).toMatchObject({ model: 'linear', mean: expect.closeTo(2 / 3, 12) });
    expect(await of(['1', '2'])).toMatchObject({ model: 'logistic', target: { negative: '1', positive: '2' } });
    expect(await of(['10', '9', '10'])).toMatchObject({ model: 'logistic', target: { negative: '9', positive: '10' } });
    expect(await of(['1', '2'], { model: 'linear' })).toMatchObject({ model: 'linear' });
    expect(await of(['1', '2'], { logTarget: true })).toMatchObject({ model: 'linear' });
    expect(await of(['1.5', '2'])).toMatchObject({ model: 'linear' });
    expect(await of(['1', '2', '3'])).toMatchObject({ model: 'linear' });
    expect(await of(['1', '2'], { model: 'logistic' })).toMatchObject({ model: 'logistic', target: { negative: '1', positive: '2' } });
    expect(await of(['0'], { model: 'logistic' })).toMatchObject({ model: 'logistic', mean: 0 });
    expect(await of(['0'])).toMatchObject({ model: 'linear' });
  });

  it('refuses f32 overflow of numbers that are not standardised', async () => {
    const csvLarge = table(
      'y,a',
      Array.from({ length: 40 }, (_, i) => `${i},${i}e39`),
    );
    expect((await failure(encode(csvLarge, { target: 'y', standardize: false }))).message).toContain('too large');
    expect((await encode(csvLarge, { target: 'y', standardize: false, dtype: 'f64' })).counts.rows).toBe(40);
  });

  it('reports progress and does not depend on how the file is read', async () => {
    const seen: string[] = [];
    const path = writeFile(folder, 'progress.csv', csv);
    const options: EncodeTableOptions = { target: 'y', onProgress: ({ phase, rows: done }) => seen.push(`${phase} ${done}`) };
    const loaded = await withTable(path, { load: true }, (t) => encodeTable(t, options));
    expect(seen).toEqual(['statistics 300', 'encode 300']);
    const again = await withTable(path, { load: false }, (t) => encodeTable(t, { target: 'y' }));
    expect(encodedRows(again)).toEqual(encodedRows(loaded));
    expect(again.encoder).toEqual(loaded.encoder);
  });
});

describe('encodeArrays', () => {
  const shape = fc.record({
    rows: fc.integer({ min: 1, max: 150 }),
    columns: fc.integer({ min: 0, max: 7 }),
    seed: fc.nat(1000),
    f32: fc.boolean(),
    standardize: fc.boolean(),
  });

  function source(rows: number, columns: number, seed: number): ArraySource {
    const x = Float64Array.from({ length: rows * columns }, (_, i) => (i % Math.max(1, columns) === 2 ? 4 : uniform(seed, 'test', i) * 10));
    return {
      x,
      rows,
      columns,
      y: Float64Array.from({ length: rows }, (_, i) => uniform(seed, 'test', i, 1)),
      weight: Float64Array.from({ length: rows }, (_, i) => i % 4),
    };
  }

  it('gives the same bits as a table of the same numbers', async () => {
    const { x, y, rows, columns } = source(200, 4, 1);
    const csv = table(
      'y,x0,x1,x2,x3',
      Array.from({ length: rows }, (_, i) => [y[i], ...x.subarray(i * columns, (i + 1) * columns)].join(',')),
    );
    const fromTable = await encode(csv, { target: 'y', chunkRows: 16, dtype: 'f64' });
    const fromArrays = await encodeArrays({ x, y, rows, columns }, { chunkRows: 16, dtype: 'f64' });
    expect(encodedRows(fromArrays)).toEqual(encodedRows(fromTable));
    expect(fromArrays.trainingRows).toEqual(fromTable.trainingRows);
    expect(fromArrays.encoder).toEqual(fromTable.encoder);
    expect(fromArrays.targetStatistics).toEqual(fromTable.targetStatistics);
  });

  it('is right for random shapes, weights of zero included', async () => {
    await fc.assert(
      fc.asyncProperty(shape, async ({ rows, columns, seed, f32, standardize }) => {
        const arrays = source(rows, columns, seed);
        const dtype = f32 ? 'f32' : 'f64';
        const training = [...Array(rows).keys()].filter((i) => !isValidation({ seed, fraction: 0.2 }, i));
        if (training.every((i) => i % 4 === 0)) {
          await expect(encodeArrays(arrays, { seed, dtype, standardize })).rejects.toThrow('training row');
          return;
        }
        const encoded = await encodeArrays(arrays, { seed, dtype, standardize, chunkRows: 16 });
        const kept = encodedColumns(encoded.encoder);
        for (const [row, { x, y, v }] of encodedRows(encoded)) {
          expect([y, v]).toEqual([arrays.y[row], row % 4]);
          for (const [j, column] of kept.entries()) {
            const raw = arrays.x[row * columns + Number(column.source.slice(1))] as number;
            const z = (raw - column.mean) / column.scale;
            expect(x[j]).toBe(f32 ? Math.fround(z) : z);
          }
        }
        expect(encodedRows(encoded).size).toBe(rows);
      }),
      { numRuns: 40 },
    );
  });

  it('merges blocks in the tree, and takes shared memory, names and offsets', async () => {
    const rows = INGEST_ROWS + 10;
    const x = new Float32Array(new SharedArrayBuffer(rows * 2 * 4));
    for (let i = 0; i < x.length; i += 1) x[i] = i % 7;
    const arrays: ArraySource = {
      x,
      rows,
      columns: 2,
      y: new Float64Array(rows),
      offset: Float64Array.from({ length: rows }, (_, i) => i),
      columnNames: ['p', 'q'],
    };
    const encoded = await encodeArrays(arrays, { validationFraction: 0, shuffle: 'none' });
    const blocks = [0, 1].map((block) => statisticsOfBlock(arrays, block, { seed: 0, fraction: 0 }));
    const merged = mergeArrayMoments(blocks[0] as NonNullable<(typeof blocks)[0]>, blocks[1] as NonNullable<(typeof blocks)[0]>);
    expect(encodedColumns(encoded.encoder).map((c) => [c.name, c.mean, c.scale])).toEqual(
      ['p', 'q'].map((name, j) => [name, merged.mean[j], Math.sqrt((merged.m2[j] as number) / rows)]),
    );
    expect(viewsOf(encoded.store, encoded.store.training, 1).offset?.[0]).toBe(encoded.store.training.layout.chunkRows);
  });

  it('refuses what does not fit or is not finite', async () => {
    const arrays = source(20, 3, 0);
    const bad: [Partial<ArraySource>, string][] = [
      [{ rows: 19 }, 'x has 60 values'],
      [{ y: new Float64Array(3) }, 'y has 3 values'],
      [{ weight: new Float64Array(20).fill(-1) }, 'at least 0'],
      [{ weight: new Float64Array(20) }, 'training row'],
      [{ offset: new Float64Array(20).fill(Number.NaN) }, 'column "offset": NaN'],
      [{ x: new Float64Array(60).fill(Number.NaN, 31, 32) }, 'data row 11, column "x1": NaN'],
      [{ y: new Float64Array(20).fill(Number.NaN) }, 'column "y": NaN'],
      [{ columnNames: ['a', 'a', 'b'] }, 'twice'],
      [{ columnNames: ['a'] }, '1 names'],
    ];
    for (const [change, message] of bad) await expect(encodeArrays({ ...arrays, ...change })).rejects.toThrow(message);
    await expect(encodeArrays({ ...arrays, x: new Float64Array(60).map((_, i) => i * 1e38) }, { standardize: false })).rejects.toThrow(
      'too large for the storage type',
    );
  });
});

describe('encodeRows', () => {
  const csv = table(
    'y,n,c',
    Array.from({ length: 100 }, (_, i) => `${i},${i % 5 === 0 ? '' : i},${['u', 'v', ''][i % 3]}`),
  );

  it.each(['f32', 'f64'] as const)('gives the rows that training saw (%s)', async (dtype) => {
    const encoded = await encode(csv, { target: 'y', dtype });
    const trained = encodedRows(encoded);
    const path = writeFile(folder, 'again.csv', csv);
    await withTable(path, { expected: expectedByModel(encoded.encoder, encoded.target) }, async (again) => {
      const found = encodeRows(again, encoded.encoder, { dtype, target: encoded.target, blockRows: 32 });
      expect([found.columns, found.missingColumns, found.hasTarget]).toEqual([encodedWidth(encoded.encoder), [], true]);
      let next = 0;
      for await (const block of found.blocks) {
        expect(block.firstRow).toBe(next);
        const P = panelRows(dtype);
        expect(block.x.length).toBe(Math.ceil(block.rows / P) * P * found.columns);
        for (let i = 0; i < block.rows; i += 1) {
          const x = Array.from({ length: found.columns }, (_, j) => block.x[(Math.floor(i / P) * found.columns + j) * P + (i % P)]);
          expect({ x, y: block.y?.[i] }).toEqual({ x: trained.get(next)?.x, y: trained.get(next)?.y });
          next += 1;
        }
      }
      expect(next).toBe(100);
      expect(found.counts).toEqual({ missing: 20 + 33, unseen: 0 });
    });
  });

  it('counts unseen texts, reports lacking columns, ignores extra ones, and needs no target', async () => {
    const encoded = await encode(csv, { target: 'y' });
    const path = writeFile(folder, 'new.csv', 'extra,c\n1,u\n2,new\n3,\n');
    await withTable(path, { expected: expectedByModel(encoded.encoder, encoded.target) }, async (fresh) => {
      const found = encodeRows(fresh, encoded.encoder, { dtype: 'f64', target: encoded.target });
      expect([found.missingColumns, found.hasTarget]).toEqual([['n'], false]);
      for await (const block of found.blocks) {
        expect(block.y).toBeUndefined();
        expect(Array.from({ length: 5 * 3 }, (_, k) => block.x[Math.floor(k / 3) * 8 + (k % 3)])).toEqual([
          0, 0, 0, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 1,
        ]);
      }
      expect(found.counts).toEqual({ missing: 4, unseen: 1 });
    });
  });

  it('does not read what the model does not need, however wrong it is', async () => {
    const encoded = await encode(csv, { target: 'y' });
    const path = writeFile(folder, 'extra.csv', table('n,extra', [...Array.from({ length: 30_000 }, (_, i) => `${i},${i}`), '1,text']));
    await withTable(path, { expected: expectedByModel(encoded.encoder) }, async (more) => {
      const found = encodeRows(more, encoded.encoder, { dtype: 'f32' });
      let rows = 0;
      for await (const block of found.blocks) rows += block.rows;
      expect([rows, found.missingColumns]).toEqual([30_001, ['c']]);
    });
    const none = writeFile(folder, 'none.csv', 'p,q\n1,2\n3,4\n');
    await withTable(none, { expected: expectedByModel(encoded.encoder) }, async (other) => {
      const found = encodeRows(other, encoded.encoder, { dtype: 'f32' });
      for await (const block of found.blocks) expect(block.rows).toBe(2);
      expect(found.missingColumns).toEqual(['n', 'c']);
    });
  });

  it('refuses text where the model had a number', async () => {
    const encoded = await encode(csv, { target: 'y' });
    const path = writeFile(folder, 'wrong.csv', 'n,c\n1,u\nx,v\n');
    expect((await failure(withTable(path, { expected: expectedByModel(encoded.encoder) }, async () => undefined))).message).toMatch(
      /line 3, column "n": "x" is not a number: the model needs one/u,
    );
    expect((await failure(withTable(path, {}, async (t) => encodeRows(t, encoded.encoder, { dtype: 'f32' })))).message).toContain(
      'is text here, and was number in training',
    );
  });
});

describe('writeEncoded', () => {
  it('writes exactly what training sees, in source order, with or without weights', async () => {
    const csv = table(
      'y,n,c',
      Array.from({ length: 150 }, (_, i) => `${i % 10 === 3 ? '' : i},${i % 7},${['u', 'U', 'ü'][i % 3]}`),
    );
    const encoded = await encode(csv, { target: 'y', chunkRows: 16 });
    const path = join(folder, 'encoded.parquet');
    await writeEncoded(encoded, path);
    const { names, rows } = await rowsOf(path);
    // Parquet readers do not tell u from U: DuckDB adds a number.
    expect(names).toEqual(['n', 'c=U', 'c=u_1', 'c=ü', '__split', '__target', '__row']);
    const expected = [...encodedRows(encoded)]
      .sort((a, b) => a[0] - b[0])
      .map(([row, { x, y, set }]) => [...x, set === 'training' ? 'train' : 'validation', y, row]);
    expect(rows).toEqual(expected);
    const weighted = await encodeArrays(
      { x: Float64Array.of(1, 2, 3), y: Float64Array.of(1, 2, 3), rows: 3, columns: 1, weight: Float64Array.of(1, 2, 1) },
      { validationFraction: 0 },
    );
    await writeEncoded(weighted, path);
    expect((await rowsOf(path)).rows.map((row) => row.slice(1))).toEqual([
      ['train', 1, 0, 1],
      ['train', 2, 1, 2],
      ['train', 3, 2, 1],
    ]);
  });

  it('leaves nothing behind when it cannot write', async () => {
    const encoded = await encode(table('y,n', ['1,2', '2,3', '4,4']), { target: 'y', validationFraction: 0 });
    const error = await failure(writeEncoded(encoded, join(folder, 'no', 'such', 'folder.parquet')));
    expect(error.code).toBe('PARAGRAD_FILE');
    expect(existsSync(join(folder, 'no'))).toBe(false);
    expect(readdirSync(folder).filter((name) => name.endsWith('.tmp'))).toEqual([]);
  });
});

describe('the houses of Ames', () => {
  it('become about 300 columns', async () => {
    const encoded = await withTable('examples/ames-housing.csv', {}, (t) => encodeTable(t, { target: 'Sale_Price' }));
    expect(encodedWidth(encoded.encoder)).toBe(307);
    expect([encoded.model, encoded.counts.rows, encoded.counts.training + encoded.counts.validation]).toEqual(['linear', 2930, 2930]);
    expect(encoded.schema.columns.filter((c) => c.role !== 'feature').map((c) => c.name)).toEqual(['Sale_Price']);
  });
});
