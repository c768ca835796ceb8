import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runCli } from '../../src/cli/cli.ts';
import { fakeTerminal } from './fake-terminal.ts';

/** Area in 100 m², rooms, price in 100,000: the two-processor example of the textbooks. */
const HOUSES: readonly (readonly [area: number, rooms: number, price: number])[] = [
  [0.5, 2, 1.5],
  [0.75, 3, 2.5],
  [0.625, 2, 2],
  [1.25, 5, 3.5],
  [1, 4, 3],
  [0.875, 3, 2.25],
];
const RATE = 0.01;
const OPTIONS = ['--no-standardize', '--l2', '0', '--validation-fraction', '0', '--start', 'zero', '--max-passes', '3', '--explain'];
const DESCENT = ['--optimizer', 'gradient-descent', '--learning-rate', String(RATE), '--dtype', 'f64', '--shuffle', 'none'];
const TWO_WORKERS = ['--workers', '2', '--partition', 'columns', '--block-columns', '1', '--force', '--out', 'model'];

/** Gradient sums at w: by area, by rooms, by the intercept. */
function sumsAt(w: readonly number[]): number[] {
  const sums = [0, 0, 0];
  for (const [area, rooms, price] of HOUSES) {
    const d = (w[0] as number) * area + (w[1] as number) * rooms + (w[2] as number) - price;
    [area, rooms, 1].forEach((x, j) => {
      sums[j] = (sums[j] as number) + d * x;
    });
  }
  return sums;
}

/** Weights after `steps` steps from zero. */
function byHand(steps: number): number[] {
  let w = [0, 0, 0];
  for (let step = 0; step < steps; step += 1) {
    const sums = sumsAt(w);
    w = w.map((weight, j) => weight - (RATE * (sums[j] as number)) / HOUSES.length);
  }
  return w;
}

const before = process.cwd();
let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'paragrad-six-'));
  process.chdir(folder);
  writeFileSync('six.csv', `area,rooms,price\n${HOUSES.map((house) => house.join(',')).join('\n')}\n`);
});
afterAll(() => {
  process.chdir(before);
  rmSync(folder, { recursive: true });
});

async function train(...more: string[]): Promise<string> {
  const terminal = fakeTerminal();
  expect(await runCli(['train', 'six.csv', '--target', 'price', ...OPTIONS, ...DESCENT, ...TWO_WORKERS, ...more], terminal)).toBe(0);
  return terminal.texts.out;
}

describe('six houses and two workers', () => {
  it('give the parts, the sums and the weights of a calculation by hand', async () => {
    const { firstStep, coefficients, intercept, passes } = JSON.parse(await train('--json'));
    const [area, rooms, one] = sumsAt([0, 0, 0]) as [number, number, number];
    expect(firstStep.partials.map(({ columns }: { columns: number[] }) => columns)).toEqual([[area], [rooms]]);
    expect(firstStep).toMatchObject({ divisor: 6, l2: 0, sum: { columns: [area, rooms], intercept: one } });
    // The third pass is what shows the loss after the second step.
    expect(passes).toBe(3);
    const value = (name: string): number => coefficients.find((each: { name: string }) => each.name === name).value;
    for (const [j, weight] of [value('area'), value('rooms'), intercept].entries()) expect(weight).toBeCloseTo(byHand(2)[j] as number, 12);
  });

  it('are shown as the textbooks do', async () => {
    const text = await train();
    const section = (title: string): string =>
      text.slice(text.indexOf(`\n${title}  `), text.indexOf('\n\n', text.indexOf(`\n${title}  `))).trim();
    expect(section('First step')).toBe(
      `
First step  every worker adds up its own rows and columns, then the parts are added
  derivative by  worker 0  worker 1       sum  gradient
  intercept      -14.75        ·     -14.75    -2.45833
  area           -13.2188      ·     -13.2188  -2.20313
  rooms            ·         -50.75  -50.75    -8.45833
  gradient = sum ÷ 6 + 0 · weight   (rows in training; l2, not for the intercept)`.trim(),
    );
    expect(section('Update')).toBe(
      `
Update  weight - learning rate × gradient = new weight
  intercept  0  - 0.01 × -2.45833  = +0.0245833
  area       0  - 0.01 × -2.20313  = +0.0220313
  rooms      0  - 0.01 × -8.45833  = +0.0845833`.trim(),
    );
  });
});
