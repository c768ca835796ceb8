/** What becomes of a gradient that was computed from weights which have changed since. */
export interface LateRule {
  readonly name: LateRuleName;
  /** Factor on the learning rate for a gradient that is `staleness` updates old, among `workers` workers; 0: it is refused. */
  weight(staleness: number, workers: number): number;
  /** Late gradients have smaller rates already: the rate of a run need not be that of the delay which is to be expected. */
  readonly damps?: boolean;
  /** The gradient is corrected to first order for the change of the weights since it was pulled. */
  readonly compensates: boolean;
}

export type LateRuleName = 'apply' | 'damp' | 'refuse' | 'compensate';

/** Every rule by its name: one line each. */
export const LATE_RULES: Readonly<Record<LateRuleName, LateRule>> = {
  apply: { name: 'apply', weight: () => 1, compensates: false },
  damp: { name: 'damp', weight: (staleness) => 1 / (1 + staleness), damps: true, compensates: false },
  // Among P equally fast workers a gradient is P − 1 updates old: older than P means that its worker was overtaken.
  refuse: { name: 'refuse', weight: (staleness, workers) => (staleness > workers ? 0 : 1), compensates: false },
  compensate: { name: 'compensate', weight: () => 1, compensates: true },
};

/** Decay of the running mean of squared gradients, and strength of the correction: λ₀ / √mean. */
const MEAN_DECAY = 0.95;
const STRENGTH = 1;
const LEAST_MEAN = 1e-14;

/**
 * Delay compensation (Zheng et al., ICML 2017, DC-ASGD-a): g + λ·g⊙g⊙(w − w_pulled), λ = λ₀ / √(running mean of g²), in place.
 * The squared gradient stands for the diagonal of the Hessian. `mean` is the running mean, and is moved on. `unit`: in which targets
 * are measured, 1 for classes; without it a correction would be of another size for prices in dollars than for those in millions.
 */
export function compensate(gradient: Float64Array, weights: Float64Array, pulled: Float64Array, mean: Float64Array, unit = 1): void {
  for (let j = 0; j < gradient.length; j += 1) {
    const g = gradient[j];
    const square = g * g;
    mean[j] = MEAN_DECAY * mean[j] + (1 - MEAN_DECAY) * square;
    gradient[j] = g + (STRENGTH / Math.sqrt(mean[j] + LEAST_MEAN * unit * unit)) * square * ((weights[j] - pulled[j]) / unit);
  }
}
