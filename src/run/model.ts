import { type EncodedColumn, type Encoder, encodedColumns } from '../data/encoder.ts';
import type { RowColumns } from '../data/table.ts';
import { fromScale, labelsOfTarget, type TargetEncoder } from '../data/target.ts';
import { MODELS, type Model } from '../models/model.ts';
import type { Layout } from '../partition/layout.ts';
import type { Vector } from '../update/pass.ts';
import { coefficientsOf, interceptsOf } from './coefficients.ts';
import { weightsSha256 } from './hash.ts';
import type { Coefficient, RunSummary } from './types.ts';

/** All that a model folder holds; weights apart (safetensors), it is JSON. */
export interface ModelRecord {
  readonly name: Model['name'];
  readonly encoder: Encoder;
  readonly target: TargetEncoder;
  /** Columns of weights, offsets and ids, by name; undefined: none. Offsets are needed to predict. */
  readonly rowColumns?: RowColumns | undefined;
  /** Decides the order in which a prediction's products are added. */
  readonly layout: Pick<Layout, 'dtype' | 'blockColumns'>;
  /** Mean of every encoded column over the training rows. */
  readonly columnMeans: readonly number[];
  readonly summary: RunSummary;
}

/** A trained model: weights in encoded space, and how raw columns get there. */
export class FittedModel {
  readonly record: ModelRecord;
  readonly vector: Vector;

  constructor(record: ModelRecord, vector: Vector) {
    this.record = record;
    this.vector = vector;
  }

  get name(): Model['name'] {
    return this.record.name;
  }

  get summary(): RunSummary {
    return this.record.summary;
  }

  /** Columns of the encoded matrix, in the order of the weights. */
  get columns(): EncodedColumn[] {
    return encodedColumns(this.record.encoder);
  }

  get weightsSha256(): string {
    return weightsSha256(this.vector);
  }

  /** Labels by class number: of logistic models negative and positive, of softmax all; none where a number is predicted. */
  get labels(): readonly string[] {
    return labelsOfTarget(this.record.target);
  }

  /** Expected target at z: the value itself, or the probability of the positive class. Not for softmax, which has several z. */
  predictionAt(z: number): number {
    const { name, target } = this.record;
    return name === 'softmax' ? Number.NaN : fromScale(target, MODELS[name].predict(z));
  }

  /** All coefficients, the most important first, in the user's own units and in encoded ones; of softmax of every class. */
  coefficients(): Coefficient[] {
    return coefficientsOf(this.columns, this.record.columnMeans, this.vector, this.record.target);
  }

  /** z where every number is 0, no category applies and nothing is missing, in the user's own units; of softmax of a class. */
  intercept(classNumber = 0): number {
    return interceptsOf(this.columns, this.vector)[classNumber] as number;
  }
}
