import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { predict, predictFile, train } from '../../src/index.ts';
import { uniform } from '../../src/random.ts';
import { failure, temporaryFolder, writeFile } from '../data/helpers.ts';

const folder = temporaryFolder();
const ROWS = 700;
const rows = Array.from({ length: ROWS }, (_, i) => {
  const [a, b] = [uniform(3, 'test', i), uniform(3, 'test', i, 1)];
  return { key: `0${i},"x"`, w: i % 5, e: b * 3, a, b, y: 2 * a - b + b * 3 + uniform(3, 'test', i, 2) / 10 };
});
const lines = (part: typeof rows): string =>
  `key,w,e,a,b,y\n${part.map((r) => `"${r.key.replaceAll('"', '""')}",${r.w},${r.e},${r.a},${r.b},${r.y}`).join('\n')}\n`;
const file = writeFile(folder, 'rows.csv', lines(rows));
const options = { target: 'y', weight: 'w', offset: 'e', id: 'key', chunkRows: 64, dtype: 'f64' } as const;

describe('columns of offsets and ids', () => {
  it('are in predictions: z with the offset, and the names of rows', async () => {
    const out = join(folder, 'model');
    const { model } = await train(file, { ...options, out });
    const { blocks, close } = await predict(model, file);
    const byName = new Map(model.coefficients().map(({ name, value }) => [name, value]));
    let seen = 0;
    for await (const block of blocks)
      for (let i = 0; i < block.rows; i += 1, seen += 1) {
        const row = rows[block.firstRow + i] as (typeof rows)[number];
        const z = row.e + row.a * (byName.get('a') ?? 0) + row.b * (byName.get('b') ?? 0) + model.intercept();
        expect(block.z[i]).toBeCloseTo(z, 9);
        expect(block.ids?.[i]).toBe(row.key);
      }
    close();
    expect(seen).toBe(ROWS);
    const to = join(folder, 'predictions.csv');
    await predictFile(out, file, { to });
    expect(readFileSync(to, 'utf8').split('\n').slice(0, 2).join('\n')).toMatch(/^row,key,prediction\n0,"00,""x""",[\d.-]+$/);
  });

  it('say what lacks: the offset is needed, names of rows are not', async () => {
    const { model } = await train(file, options);
    const lacking = writeFile(folder, 'lacking.csv', 'a,b\n1,2\n');
    const error = await failure(predict(model, lacking));
    expect(error).toMatchObject({ code: 'PARAGRAD_COLUMN', place: { column: 'e' } });
    const { blocks, report, close } = await predict(model, writeFile(folder, 'nameless.csv', 'a,b,e\n1,2,3\n'));
    for await (const block of blocks) expect(block.ids).toBeUndefined();
    expect(report.missingColumns).toEqual(['key']);
    close();
  });

  it('count wrong values as missing on demand, and say which', async () => {
    const { model } = await train(file, options);
    const wrong = writeFile(folder, 'wrong.csv', 'a,b,e,key\n1,many,3,k\n1,,3,k\n1,2,3,k\n');
    await expect(predict(model, wrong)).rejects.toMatchObject({ code: 'PARAGRAD_VALUE', place: { line: 2, column: 'b' } });
    const { blocks, report, close } = await predict(model, wrong, { badRows: 'impute' });
    for await (const { z, rows: count } of blocks) expect([count, z[0]]).toEqual([3, z[1]]);
    expect(report.bad).toMatchObject({
      lines: 0,
      columns: [{ column: 'b', values: 1 }],
      examples: [{ line: 2, column: 'b', value: 'many' }],
    });
    close();
  });
});
