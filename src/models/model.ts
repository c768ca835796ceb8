import { ParagradError } from '../errors.ts';
import type { KernelLoss } from '../kernels/kernels.ts';
import { linear } from './linear.ts';
import { logistic } from './logistic.ts';
import { softmax } from './softmax.ts';

/**
 * A model: how z = x·w + offset + b becomes a loss and a prediction. The per-row formulas live in `kernels/losses.ts`, since
 * the kernels are where they must be fast and exact; a model says which of them it means, and all that is around it.
 */
export interface OutputModel {
  readonly name: 'linear' | 'logistic';
  readonly loss: KernelLoss;
  /** The curvature of the loss does not depend on z. */
  readonly quadratic: boolean;
  /** sup of the loss's curvature per row. */
  readonly curvatureBound: number;
  /** What the target must be: any number, or two classes as 0 and 1. */
  readonly target: 'number' | 'classes';
  /** Intercept of the model without features and offsets: the optimum of the objective at w = 0. */
  nullIntercept(totals: { v: number; vy: number; vOffset: number }): { intercept: number; note?: string };
  /** Expected target at z: the value itself, or the probability of the positive class. */
  predict(z: number): number;
}

/** A model with an output, z_c, for each of several classes. */
export interface ClassesModel {
  readonly name: 'softmax';
  readonly loss: 'softmax';
  readonly quadratic: false;
  /** sup of the largest eigenvalue of the loss's curvature per row. */
  readonly curvatureBound: number;
  /** Labels, as class numbers from 0. */
  readonly target: 'labels';
  /** Intercepts of the model without features, of mean 0, from Σ v of the rows of each class; and the classes without rows. */
  nullIntercepts(weights: Float64Array): { intercepts: Float64Array; unseen: readonly number[] };
  /** Probabilities of the classes from z, in its place. */
  predict(z: Float64Array): void;
}

export type Model = OutputModel | ClassesModel;

/** All models by name. A new one is a file and a line here. */
export const MODELS: Readonly<{ linear: OutputModel; logistic: OutputModel; softmax: ClassesModel }> = { linear, logistic, softmax };

/** @throws PARAGRAD_OPTION for an unknown name. */
export function modelOf(name: string): Model {
  const model = Object.hasOwn(MODELS, name) ? MODELS[name as Model['name']] : undefined;
  if (model === undefined)
    throw new ParagradError('PARAGRAD_OPTION', `--model must be one of ${Object.keys(MODELS).join(', ')}, not '${name}'`, {
      place: { option: '--model' },
    });
  return model;
}
