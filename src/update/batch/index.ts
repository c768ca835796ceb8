import { DEFAULT_MOMENTUM } from '../momentum.ts';
import type { Optimizer, OptimizerOptions } from '../optimizer.ts';
import { MiniBatch } from './mini-batch.ts';
import { RULES } from './rules.ts';

const adaptive = (name: 'adam' | 'adamw' | 'rmsprop' | 'adagrad') => (options: OptimizerOptions) =>
  new MiniBatch({ name, rule: RULES[name](), momentum: 0, reducesVariance: false }, options);

const plain = (name: string, options: OptimizerOptions, momentum: number, rest: { nesterov?: boolean; reducesVariance?: boolean } = {}) =>
  new MiniBatch(
    { name, rule: RULES.sgd({ momentum, nesterov: rest.nesterov }), momentum, reducesVariance: rest.reducesVariance ?? false },
    options,
  );

/** Optimizers that take a step for every mini-batch: one line each. */
export const BATCH_OPTIMIZERS = {
  sgd: (options) => plain('sgd', options, options.momentum ?? 0),
  svrg: (options) => plain('svrg', options, options.momentum ?? 0, { reducesVariance: true }),
  adam: adaptive('adam'),
  adamw: adaptive('adamw'),
  rmsprop: adaptive('rmsprop'),
  adagrad: adaptive('adagrad'),
} as const satisfies Readonly<Record<string, (options: OptimizerOptions) => Optimizer>>;

/** Optimizers of all rows that become one of mini-batches where a batch size is given. */
export const WITH_BATCHES: Readonly<Record<string, (options: OptimizerOptions) => Optimizer>> = {
  auto: BATCH_OPTIMIZERS.sgd,
  'gradient-descent': BATCH_OPTIMIZERS.sgd,
  momentum: (options) => plain('momentum', options, options.momentum ?? DEFAULT_MOMENTUM),
  nesterov: (options) => plain('nesterov', options, options.momentum ?? DEFAULT_MOMENTUM, { nesterov: true }),
};
