import type { DenseData } from './dense-evaluator.ts';

/** Random problems that are hard for optimizers: seeded, so that a failure can be repeated. */
export interface RandomProblem extends DenseData {
  readonly indicators: Uint8Array;
  readonly l2: number;
  /** Whether weights may have to grow far: classes with little noise, or fewer rows than columns. */
  readonly separable: boolean;
  readonly describe: string;
}

/** mulberry32: a small generator for tests. */
export function generator(seed: number): () => number {
  let a = seed >>> 0;
  return () => {
    a = (a + 0x6d2b79f5) >>> 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

function normal(random: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}

/**
 * Numbers of a condition from 1 to 1e6, standardised; full dummy sets with rare levels; a repeated and a constant column; l2
 * 1/V, 1e-8 or 0; now and then rows fewer than columns; logistic classes from noisy to separable.
 */
export function randomProblem(seed: number, loss: 'squared' | 'logistic', size = 1): RandomProblem {
  const random = generator(seed * 7919 + (loss === 'squared' ? 1 : 2));
  const pick = <T>(...choices: T[]): T => choices[Math.floor(random() * choices.length)];
  for (let i = 0; i < 8; i += 1) random();
  const numbers = Math.floor(1 + random() * 30 * size);
  const wide = random() < 0.15;
  const condition = 10 ** (random() * 6);
  const parts: Float64Array[] = [];
  const sets = pick(0, 1, 2, 3);
  const rows = wide ? Math.floor(5 + random() * numbers) : Math.floor((200 + random() * 2800) * size);
  parts.push(...correlated(random, rows, numbers, condition));
  const numeric = parts.length;
  for (let set = 0; set < sets; set += 1) parts.push(...dummies(random, rows, pick(2, 3, 7, 20)));
  const indicatorEnd = parts.length;
  const repeats = random() < 0.4;
  const constants = random() < 0.25;
  if (repeats) parts.push(parts[Math.floor(random() * parts.length)].slice());
  if (constants) parts.push(new Float64Array(rows).fill(pick(0, 1)));
  const columns = parts.length;
  const scale = loss === 'squared' ? 1 : pick(0.5, 2, 10);
  const noise = loss === 'squared' ? pick(0.01, 1, 10) : pick(0, 1, 3);
  const weights = parts.map(() => (scale * normal(random)) / Math.sqrt(columns));
  const x = new Float64Array(rows * columns);
  const y = Float64Array.from({ length: rows }, (_, i) => {
    let z = 0.3;
    parts.forEach((part, j) => {
      x[i * columns + j] = part[i];
      z += part[i] * weights[j];
    });
    z += noise * normal(random);
    return loss === 'squared' ? 100 + z : z > 0 ? 1 : 0;
  });
  if (loss === 'logistic') {
    y[0] = 0;
    y[rows - 1] = 1;
  }
  const indicators = Uint8Array.from({ length: columns }, (_, j) => (j >= numeric && j < indicatorEnd ? 1 : 0));
  const l2 = pick(1 / rows, 1e-8, 0);
  const describe = `seed ${seed} ${loss} ${rows}x${columns} cond ${condition.toExponential(0)} sets ${sets}${repeats ? ' repeat' : ''}${constants ? ' constant' : ''} l2 ${l2.toExponential(0)} noise ${noise} scale ${scale}`;
  const separable = loss === 'logistic' && (noise === 0 || scale === 10 || rows <= columns);
  return { rows, columns, x, y, indicators, l2, separable, describe };
}

/** Columns with singular values from 1 to 1/condition, mixed, then standardised. */
function correlated(random: () => number, rows: number, count: number, condition: number): Float64Array[] {
  const raw = Array.from({ length: count }, (_, j) => {
    const size = condition ** (-j / Math.max(1, count - 1));
    return Float64Array.from({ length: rows }, () => size * normal(random));
  });
  for (let turn = 0; turn < 4 * count && count > 1; turn += 1) {
    const a = raw[Math.floor(random() * count)];
    const b = raw[Math.floor(random() * count)];
    const angle = 2 * Math.PI * random();
    if (a === b) continue;
    const [c, s] = [Math.cos(angle), Math.sin(angle)];
    for (let i = 0; i < rows; i += 1) [a[i], b[i]] = [c * a[i] - s * b[i], s * a[i] + c * b[i]];
  }
  return raw.map(standardised);
}

export function standardised(column: Float64Array): Float64Array {
  const mean = column.reduce((sum, value) => sum + value, 0) / column.length;
  const variance = column.reduce((sum, value) => sum + (value - mean) ** 2, 0) / column.length;
  return column.map((value) => (value - mean) / Math.sqrt(variance || 1));
}

/** A full set of indicators, one per level, with shares that fall like 1/k². */
function dummies(random: () => number, rows: number, levels: number): Float64Array[] {
  const set = Array.from({ length: levels }, () => new Float64Array(rows));
  const shares = set.map((_, k) => 1 / (k + 1) ** 2);
  const total = shares.reduce((sum, share) => sum + share, 0);
  for (let i = 0; i < rows; i += 1) {
    let at = random() * total;
    let level = 0;
    while (level < levels - 1 && at > shares[level]) {
      at -= shares[level];
      level += 1;
    }
    set[level][i] = 1;
  }
  return set;
}
