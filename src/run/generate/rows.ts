import { log } from '../../math.ts';
import { normal, uniform } from '../../random.ts';
import { correlationFor, varianceOf } from './chain.ts';

/** What the rows are made from; every number of them follows from this. */
export interface Recipe {
  readonly columns: number;
  readonly model: 'linear' | 'logistic';
  readonly condition: number;
  readonly noise: number;
  readonly seed: number;
}

/** Epochs of the random numbers: what they are for. */
const VALUES = 0;
const WEIGHTS = 1;

/**
 * Makes rows, any of them alone: x is a chain of normal columns; the signal x·w has variance 1; the target is signal + noise ·
 * e with a normal e, or, of two classes, 1 where signal + noise · e > 0 with a logistic e, so that the log-odds are x·w / noise.
 */
export class RowMaker {
  readonly recipe: Recipe;
  /** Between neighbouring columns. */
  readonly correlation: number;
  /** w, with x·w of variance 1. */
  readonly weights: Float64Array;

  constructor(recipe: Recipe) {
    const { columns, condition, seed } = recipe;
    this.recipe = recipe;
    this.correlation = correlationFor(condition, columns);
    const drawn = Float64Array.from({ length: columns }, (_, j) => normal(seed, 'generate', j, WEIGHTS));
    const deviation = Math.sqrt(varianceOf(drawn, this.correlation));
    this.weights = drawn.map((weight) => weight / deviation);
  }

  /** Rows first … first + count into columns (features, then the target). */
  fill(out: readonly Float64Array[], first: number, count: number): void {
    const { columns, model, noise, seed } = this.recipe;
    const { correlation, weights } = this;
    const fresh = Math.sqrt(1 - correlation * correlation);
    const target = out[columns] as Float64Array;
    for (let i = 0; i < count; i += 1) {
      const position = (first + i) * (columns + 1);
      let value = 0;
      let signal = 0;
      for (let j = 0; j < columns; j += 1) {
        const drawn = normal(seed, 'generate', position + j, VALUES);
        value = j === 0 ? drawn : correlation * value + fresh * drawn;
        (out[j] as Float64Array)[i] = value;
        signal += value * (weights[j] as number);
      }
      const last = position + columns;
      if (model === 'linear') target[i] = signal + noise * normal(seed, 'generate', last, VALUES);
      else target[i] = signal + noise * logisticAt(seed, last) > 0 ? 1 : 0;
    }
  }
}

/** A logistic number: the log-odds of a uniform one. */
function logisticAt(seed: number, position: number): number {
  const u = Math.max(uniform(seed, 'generate', position, VALUES), 2 ** -54);
  return log(u / (1 - u));
}
