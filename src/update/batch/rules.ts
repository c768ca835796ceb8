/**
 * Update rules: how a gradient changes weights, coordinate by coordinate. A rule knows nothing of batches, data or the objective, so
 * it works on all weights or on any segment of them: the owner of coordinates [begin, end) hands over arrays of end − begin numbers
 * and has the bits that the whole would have there. Arrays are changed in place: a step of a small batch must not allocate.
 */

/** Plain data: it survives `structuredClone` and a checkpoint. */
export interface RuleState {
  /** Steps done. */
  steps: number;
  /** Memory of the rule, one number per coordinate each. */
  readonly arrays: readonly Float64Array[];
}

export interface UpdateRule {
  readonly name: string;
  /** State before the first step, for so many coordinates. */
  init(coordinates: number): RuleState;
  /**
   * One step: `weights` and `state` are changed. `gradient`: of the objective, divided and with the penalty (without it where
   * `decay` is used), preconditioned or not. `rate` > 0: of this step.
   *
   * @param decay of a rule with `decays`: l2 per coordinate, 0 for the intercept.
   */
  apply(state: RuleState, weights: Float64Array, gradient: Float64Array, rate: number, decay?: Float64Array): void;
  /** The rule takes the penalty itself, decoupled from the gradient (AdamW). */
  readonly decays: boolean;
  /** Steps are of the size of the rate, whatever the gradient's: rates have the unit of the weights. */
  readonly adaptive: boolean;
  /** w ← w − rate·g and nothing else: without memory, so that many steps may be taken in one go. */
  readonly plain: boolean;
}

export interface RuleOptions {
  /** Share of the last step that is kept, from 0 to below 1; default 0. */
  readonly momentum?: number | undefined;
  readonly nesterov?: boolean | undefined;
}

const BETA_1 = 0.9;
const BETA_2 = 0.999;
const RMS_DECAY = 0.99;
/** Relative to nothing: gradients are of the order of what the target is. Small enough to matter where a gradient is 0 only. */
const EPSILON = 1e-8;

/**
 * Stochastic gradient descent: w ← w − rate·g; with momentum m the velocity u ← m·u + g, w ← w − rate·u; with Nesterov's,
 * w ← w − rate·(g + m·u) (Sutskever et al. 2013, as PyTorch writes it).
 */
export function sgdRule({ momentum = 0, nesterov = false }: RuleOptions = {}): UpdateRule {
  return {
    name: 'sgd',
    decays: false,
    adaptive: false,
    plain: momentum === 0,
    init: (count) => ({ steps: 0, arrays: momentum === 0 ? [] : [new Float64Array(count)] }),
    apply: (state, weights, gradient, rate) => {
      state.steps += 1;
      const velocity = state.arrays[0];
      if (momentum === 0) for (let j = 0; j < weights.length; j += 1) weights[j] -= rate * gradient[j];
      else
        for (let j = 0; j < weights.length; j += 1) {
          const u = momentum * velocity[j] + gradient[j];
          velocity[j] = u;
          weights[j] -= rate * (nesterov ? gradient[j] + momentum * u : u);
        }
    },
  };
}

/** baseⁿ by repeated squaring: the same bits everywhere, which Math.pow does not promise. */
function power(base: number, n: number): number {
  let result = 1;
  for (let factor = base, left = n; left > 0; left = Math.floor(left / 2), factor *= factor) if (left % 2 === 1) result *= factor;
  return result;
}

/**
 * m ← β₁m + (1−β₁)g, v ← β₂v + (1−β₂)g², s = rate/(√v̂ + ε), w ← w − s·m̂ (Kingma & Ba 2015). AdamW (Loshchilov & Hutter 2019, in the
 * proximal form of Zhuang et al. 2022) keeps the penalty out of m and v: w ← (w − s·m̂)/(1 + s·decay), whose optimum is that of the
 * objective.
 */
function adamLike(name: string, decays: boolean): UpdateRule {
  return {
    name,
    decays,
    adaptive: true,
    plain: false,
    init: (count) => ({ steps: 0, arrays: [new Float64Array(count), new Float64Array(count)] }),
    apply: (state, weights, gradient, rate, decay) => {
      state.steps += 1;
      const [m, v] = state.arrays;
      const first = 1 - power(BETA_1, state.steps);
      const second = 1 - power(BETA_2, state.steps);
      for (let j = 0; j < weights.length; j += 1) {
        const g = gradient[j];
        m[j] = BETA_1 * m[j] + (1 - BETA_1) * g;
        v[j] = BETA_2 * v[j] + (1 - BETA_2) * (g * g);
        const scaled = rate / (Math.sqrt(v[j] / second) + EPSILON);
        weights[j] -= scaled * (m[j] / first);
        if (decays && decay !== undefined) weights[j] /= 1 + scaled * decay[j];
      }
    },
  };
}

export const adamRule = (): UpdateRule => adamLike('adam', false);
export const adamwRule = (): UpdateRule => adamLike('adamw', true);

/** v ← 0.99·v + 0.01·g², w ← w − rate·g/(√v + ε) (Hinton 2012). */
export function rmspropRule(): UpdateRule {
  return {
    name: 'rmsprop',
    decays: false,
    adaptive: true,
    plain: false,
    init: (count) => ({ steps: 0, arrays: [new Float64Array(count)] }),
    apply: (state, weights, gradient, rate) => {
      state.steps += 1;
      const [v] = state.arrays;
      for (let j = 0; j < weights.length; j += 1) {
        const g = gradient[j];
        v[j] = RMS_DECAY * v[j] + (1 - RMS_DECAY) * (g * g);
        weights[j] -= (rate * g) / (Math.sqrt(v[j]) + EPSILON);
      }
    },
  };
}

/** v ← v + g², w ← w − rate·g/(√v + ε) (Duchi, Hazan & Singer 2011). */
export function adagradRule(): UpdateRule {
  return {
    name: 'adagrad',
    decays: false,
    adaptive: true,
    plain: false,
    init: (count) => ({ steps: 0, arrays: [new Float64Array(count)] }),
    apply: (state, weights, gradient, rate) => {
      state.steps += 1;
      const [v] = state.arrays;
      for (let j = 0; j < weights.length; j += 1) {
        const g = gradient[j];
        v[j] += g * g;
        weights[j] -= (rate * g) / (Math.sqrt(v[j]) + EPSILON);
      }
    },
  };
}

/** All rules by name; one line each. */
export const RULES = {
  sgd: sgdRule,
  adam: adamRule,
  adamw: adamwRule,
  rmsprop: rmspropRule,
  adagrad: adagradRule,
} as const satisfies Readonly<Record<string, (options?: RuleOptions) => UpdateRule>>;

export type RuleName = keyof typeof RULES;
