import { createHash } from 'node:crypto';
import { exp, expm1, log, log1p, tanh } from '../../src/math.ts';
import { fillUniform, permutation } from '../../src/random.ts';

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

console.log(JSON.stringify(results));
