import type { Encoded } from '../data/encoded.ts';
import { viewsOf } from '../data/store.ts';
import { fromScale, type TargetEncoder } from '../data/target.ts';
import { Scorer } from '../engines/scorer.ts';
import { ClassTally, type SoftmaxMetrics } from '../models/class-metrics.ts';
import { type ClassMetrics, classMetrics, type Predicted, type RegressionMetrics, regressionMetrics } from '../models/metrics.ts';
import { MODELS } from '../models/model.ts';
import type { Vector } from '../update/pass.ts';
import { outputOf, outputsOf } from '../update/vectors.ts';
import { type Diagnostics, diagnose, diagnoseClasses } from './diagnostics.ts';

export interface Validation {
  readonly metrics: RegressionMetrics | ClassMetrics | SoftmaxMetrics;
  readonly diagnostics: Diagnostics | null;
}

export function isLog(target: TargetEncoder): boolean {
  return target.kind === 'number' && target.log === true;
}

/** Targets and predictions in the user's own units. */
export function fromLog(target: TargetEncoder, { y, z, v }: Predicted): Predicted {
  const own = (value: number): number => fromScale(target, value);
  return { y: y.map(own), z: z.map(own), v };
}

/** Fit measures on the validation rows, and what a report shows of them; null without any. */
export async function validate(encoded: Encoded, vector: Vector, kernels: 'wasm' | 'reference'): Promise<Validation | null> {
  const { store, model } = encoded;
  const set = store.validation;
  const { layout } = set;
  if (layout.rows === 0) return null;
  const y = new Float64Array(layout.rows);
  // Of several classes, each has an array.
  const outputs = Array.from({ length: outputsOf(vector) }, (_, k) => outputOf(vector, k));
  const zs = outputs.map(() => new Float64Array(layout.rows));
  const v = new Float64Array(layout.rows);
  const scorers = store.segments.map((memory) => new Scorer(memory, layout, vector, kernels));
  for (let chunk = 0; chunk < layout.chunks; chunk += 1) {
    const place = set.chunks[chunk] as (typeof set.chunks)[number];
    const views = viewsOf(store, set, chunk);
    const first = chunk * layout.chunkRows;
    y.set(views.y.subarray(0, views.rows), first);
    v.set(views.v.subarray(0, views.rows), first);
    for (const [k, { intercept }] of outputs.entries()) {
      const dots = (scorers[place.segment] as Scorer).score(place.x, views.rows, k);
      const z = zs[k] as Float64Array;
      for (let i = 0; i < views.rows; i += 1) z[first + i] = (dots[i] as number) + (views.offset?.[i] ?? 0) + intercept;
    }
    await new Promise(setImmediate);
  }
  if (model === 'softmax') return validateClasses(y, zs, v);
  const predicted = { y, z: zs[0] as Float64Array, v };
  if (model === 'logistic') return { metrics: classMetrics(predicted), diagnostics: diagnose(predicted, MODELS.logistic.predict) };
  if (!isLog(encoded.target)) return { metrics: regressionMetrics(predicted), diagnostics: diagnose(predicted, undefined) };
  const own = fromLog(encoded.target, predicted);
  return { metrics: { ...regressionMetrics(own), logScale: regressionMetrics(predicted) }, diagnostics: diagnose(own, undefined) };
}

function validateClasses(y: Float64Array, zs: readonly Float64Array[], v: Float64Array): Validation {
  const tally = new ClassTally(zs.length);
  const z = new Float64Array(zs.length);
  for (let i = 0; i < y.length; i += 1) {
    for (const [c, values] of zs.entries()) z[c] = values[i] as number;
    tally.add(z, y[i] as number, v[i] as number);
  }
  return { metrics: tally.metrics(), diagnostics: diagnoseClasses(tally) };
}
