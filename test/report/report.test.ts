import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { train, writeReport } from '../../src/index.ts';
import { uniform } from '../../src/random.ts';
import { diagnose } from '../../src/run/diagnostics.ts';
import { reportPage } from '../../src/run/report/page.ts';
import { SUMMARY } from '../cli/summaries.ts';
import { failure, temporaryFolder, writeFile } from '../data/helpers.ts';
import { wellFormed } from './markup.ts';

const folder = temporaryFolder();
const rows = Array.from({ length: 400 }, (_, i) => {
  const [a, b] = [uniform(1, 'test', i), uniform(1, 'test', i, 1)];
  return `${a},${b},${'xyz'[i % 3]},${3 * a - b + uniform(1, 'test', i, 2)},${a + uniform(1, 'test', i, 3) > 1 ? 'yes & no' : '<no>'}`;
});
const file = writeFile(folder, 'rows.csv', `a,<b>,"c ""&""",y,label\n${rows.join('\n')}\n`);

async function reportOf(target: string, drop: string): Promise<string> {
  const out = join(folder, target);
  await train(file, { target, drop: [drop], out, workers: 2, chunkRows: 16 });
  const to = join(folder, `${target}.html`);
  await writeReport(out, to);
  return readFileSync(to, 'utf8');
}

describe('a report', () => {
  it('of a number: one page that needs nothing else', async () => {
    const page = await reportOf('y', 'label');
    wellFormed(page);
    for (const title of [
      'Loss',
      'Run',
      'Predicted against actual',
      'Errors',
      'Largest coefficients',
      'Shares of the training matrix',
      'Data',
    ])
      expect(page).toContain(`<h3>${title}</h3>`);
    expect(page).not.toContain('What was tried');
    expect(page).toContain('prefers-color-scheme: dark');
    expect(page).not.toMatch(/<script|<link|<img|url\(|https?:|@import/);
    expect(page).toContain('&#60;b&#62;');
    expect(page).not.toContain('<b>');
    expect(page.length).toBeLessThan(200_000);
  });

  it('of two classes', async () => {
    const page = await reportOf('label', 'y');
    wellFormed(page);
    for (const title of ['ROC curve', 'Calibration']) expect(page).toContain(`<h3>${title}</h3>`);
    expect(page).toContain('yes &#38; no');
  });

  it('of a chosen penalty: what was tried, and which one was taken', async () => {
    const out = join(folder, 'penalties');
    const { summary } = await train(file, { target: 'y', drop: ['label'], out, l2: 'auto' });
    const to = join(folder, 'penalties.html');
    await writeReport(out, to);
    const page = readFileSync(to, 'utf8');
    wellFormed(page);
    for (const title of ['Penalties', 'What was tried']) expect(page).toContain(`<h3>${title}</h3>`);
    const rows = page.slice(page.indexOf('What was tried')).split('</table>')[0]?.split('<tr>') ?? [];
    expect(rows.length).toBe(1 + 1 + (summary.l2Path?.length ?? 0));
    expect(rows.filter((row) => row.includes('chosen')).length).toBe(1);
    expect(page.split('class="dot chosen"').length).toBe(2);
  });

  it('does without validation rows, steps, coefficients and gap', async () => {
    const page = reportPage({
      summary: { ...SUMMARY, validation: null, coefficients: [], gap: null, converged: false, reason: 'time limit' },
      steps: [],
      diagnostics: null,
    });
    wellFormed(page);
    expect(page).toContain('before it had converged (time limit)');
    const out = join(folder, 'bare');
    await train(file, { target: 'y', drop: ['label'], out, validationFraction: 0 });
    rmSync(join(out, 'events.jsonl'));
    await writeReport(out, join(folder, 'bare.html'));
    wellFormed(readFileSync(join(folder, 'bare.html'), 'utf8'));
  });

  it('names a damaged file of the folder', async () => {
    const out = join(folder, 'damaged');
    await train(file, { target: 'y', drop: ['label'], out });
    writeFileSync(join(out, 'validation.json'), '{"kind":');
    expect(await failure(writeReport(out, join(folder, 'damaged.html')))).toMatchObject({ code: 'PARAGRAD_MODEL_FILE' });
  });
});

describe('diagnostics', () => {
  const y = Float64Array.from({ length: 3000 }, (_, i) => i);

  it('of a number: a sample in order, and all rows in the bars', () => {
    const found = diagnose({ y, z: y.map((value) => value + (value % 7)), v: y.map((value) => Number(value % 3 > 0)) }, undefined);
    if (found?.kind !== 'number') throw new Error('a number was meant');
    expect(found.points).toHaveLength(1000);
    for (const [actual, predicted] of found.points) expect(predicted).toBe(actual + (actual % 7));
    expect(found.errors.counts.reduce((sum, count) => sum + count, 0)).toBe(2000);
  });

  it('of classes: the ROC curve rises from (0, 0) to (1, 1), calibration holds every row', () => {
    const z = y.map((value) => (value - 1500) / 500);
    const found = diagnose(
      { y: y.map((value) => Number(value % 1000 > 300)), z, v: y.map(() => 1) },
      (value) => 1 / (1 + Math.exp(-value)),
    );
    if (found?.kind !== 'classes') throw new Error('classes were meant');
    expect(found.roc[0]).toEqual([0, 0]);
    expect(found.roc.at(-1)).toEqual([1, 1]);
    expect(found.roc.length).toBeLessThan(310);
    for (const [i, point] of found.roc.entries())
      for (const k of [0, 1] as const) expect(point[k]).toBeGreaterThanOrEqual(found.roc[i - 1]?.[k] ?? 0);
    expect(found.calibration.map((bin) => bin.rows)).toEqual(new Array(10).fill(300));
    for (const [i, bin] of found.calibration.entries()) expect(bin.predicted).toBeGreaterThan(found.calibration[i - 1]?.predicted ?? 0);
  });

  it('of ties: rows of one score are called together', () => {
    const found = diagnose(
      { y: Float64Array.of(1, 0, 1, 0), z: Float64Array.of(2, 2, 1, 1), v: Float64Array.of(1, 1, 1, 1) },
      (value) => value / 3,
    );
    expect(found).toMatchObject({
      roc: [
        [0, 0],
        [0.5, 0.5],
        [1, 1],
      ],
    });
  });

  it('of no rows are none', () => {
    const none = new Float64Array(0);
    expect(diagnose({ y: none, z: none, v: none }, undefined)).toBeNull();
    expect(diagnose({ y: Float64Array.of(1), z: Float64Array.of(1), v: Float64Array.of(0) }, undefined)).toBeNull();
  });
});
