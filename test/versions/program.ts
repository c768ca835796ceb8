import { createHash } from 'node:crypto';
import { rowEncoder } from '../../src/data/write/row-format.ts';
import { exp, expm1, log, log1p, tanh } from '../../src/math.ts';
import { fillUniform, permutation } from '../../src/random.ts';
import { RowMaker } from '../../src/run/generate/rows.ts';

/**
 * What different versions of Node.js must agree on, to the bit: bundled, run on each of them, and printed as one JSON object of
 * hashes. Arguments of the functions cover all magnitudes, since their bits are drawn.
 */

const COUNT = 100_000;
const SPECIAL = [0, -0, 1, -1, 0.5, 709.7, -745.1, 1e-308, 5e-324, Number.MAX_VALUE, Infinity, -Infinity, NaN];

function drawnDoubles(): Float64Array {
  const uniforms = new Float64Array(2 * COUNT);
  fillUniform(uniforms, 1, 'test', 0);
  const values = new Float64Array(COUNT + SPECIAL.length);
  const words = new Uint32Array(values.buffer);
  for (let i = 0; i < 2 * COUNT; i += 1) words[i] = Math.floor((uniforms[i] as number) * 2 ** 32);
  values.set(SPECIAL, COUNT);
  return values;
}

/** The usual range, where a result is neither 0 nor infinite. */
function drawnNumbers(): Float64Array {
  const values = new Float64Array(COUNT);
  fillUniform(values, 2, 'test', 0);
  return values.map((u) => 80 * u - 40);
}

function hash(values: Float64Array): string {
  // A NaN has many bit patterns, and none of them is promised.
  const canonical = values.map((value) => (Number.isNaN(value) ? NaN : value));
  return createHash('sha256').update(new Uint8Array(canonical.buffer)).digest('hex');
}

const results: Record<string, string> = {};
for (const [set, values] of Object.entries({ doubles: drawnDoubles(), numbers: drawnNumbers() }))
  for (const f of [exp, expm1, log, log1p, tanh, Math.sqrt, Math.fround]) results[`${f.name} of ${set}`] = hash(values.map((x) => f(x)));

const order = permutation(3, 'test', 0, COUNT);
results.permutation = hash(Float64Array.from({ length: COUNT }, (_, i) => order.at(i)));

// A generated table as bytes: shortest decimals, and Parquet.
const maker = new RowMaker({ columns: 9, model: 'linear', condition: 1000, noise: 0.5, seed: 7 });
const table = Array.from({ length: 10 }, () => new Float64Array(2000));
maker.fill(table, 0, 2000);
for (const format of ['csv', 'jsonl', 'parquet'] as const) {
  const encoder = rowEncoder(
    format,
    table.map((_, j) => ({ name: `c${j}`, kind: 'number' })),
  );
  const bytes = createHash('sha256');
  for (const part of [...encoder.rows(table, 2000), ...encoder.end()]) bytes.update(part);
  results[`generated ${format}`] = bytes.digest('hex');
}

console.log(JSON.stringify(results));
