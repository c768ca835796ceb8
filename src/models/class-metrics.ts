import { softmaxLoss, softmaxOf } from '../kernels/losses.ts';

/** How well several classes are told apart. Weighted by v; rows with v = 0 do not count. */
export interface SoftmaxMetrics {
  readonly rows: number;
  /** Mean of −log of the probability of the row's own class. */
  readonly logLoss: number;
  /** Part of the rows whose likeliest class is their own. */
  readonly accuracy: number;
  /** Mean F1 of the classes that occur or are called; each counts alike. */
  readonly macroF1: number;
}

/** One class among the others; NaN where a measure has no denominator. */
export interface OneClassMetrics {
  /** Σ v of its rows, and of the rows called so. */
  readonly actual: number;
  readonly called: number;
  readonly precision: number;
  readonly recall: number;
  readonly f1: number;
}

/** Adds up rows. */
export class ClassTally {
  readonly classes: number;
  /** Σ v by actual and called class: actual · classes + called. */
  readonly confusion: Float64Array;
  #rows = 0;
  #weight = 0;
  #loss = 0;

  constructor(classes: number) {
    this.classes = classes;
    this.confusion = new Float64Array(classes * classes);
  }

  /** A row of class y, given z of every class. */
  add(z: Float64Array, y: number, v: number): void {
    if (v === 0) return;
    this.#rows += 1;
    this.#weight += v;
    this.#loss += v * softmaxLoss(softmaxOf(z), z[y] as number);
    const at = y * this.classes + likeliest(z);
    this.confusion[at] = (this.confusion[at] as number) + v;
  }

  metrics(): SoftmaxMetrics {
    const f1 = this.byClass()
      .filter(({ actual, called }) => actual > 0 || called > 0)
      .map((one) => one.f1);
    let right = 0;
    for (let c = 0; c < this.classes; c += 1) right += this.confusion[c * this.classes + c] as number;
    return {
      rows: this.#rows,
      logLoss: this.#loss / this.#weight,
      accuracy: right / this.#weight,
      macroF1: f1.reduce((sum, value) => sum + value, 0) / f1.length,
    };
  }

  byClass(): OneClassMetrics[] {
    return Array.from({ length: this.classes }, (_, c) => {
      let actual = 0;
      let called = 0;
      for (let k = 0; k < this.classes; k += 1) {
        actual += this.confusion[c * this.classes + k] as number;
        called += this.confusion[k * this.classes + c] as number;
      }
      const right = this.confusion[c * this.classes + c] as number;
      return { actual, called, precision: right / called, recall: right / actual, f1: (2 * right) / (actual + called) };
    });
  }

  /** Rows of the confusion matrix. */
  matrix(): number[][] {
    return Array.from({ length: this.classes }, (_, c) => [...this.confusion.subarray(c * this.classes, (c + 1) * this.classes)]);
  }
}

/** The class of the largest z, of equals the first. */
export function likeliest(z: Float64Array): number {
  let best = 0;
  for (let c = 1; c < z.length; c += 1) if ((z[c] as number) > (z[best] as number)) best = c;
  return best;
}
