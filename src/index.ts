export type { ArraySource } from './data/arrays.ts';
export type { BadExample, BadRows } from './data/bad-rows.ts';
export type { TableSource } from './data/source-files.ts';
export { type ErrorCode, type ErrorPlace, ParagradError } from './errors.ts';
export type { ClassMetrics, RegressionMetrics } from './models/metrics.ts';
export { attach } from './run/attach.ts';
export { writeCoefficients } from './run/coefficients-file.ts';
export { type DatasetDescription, type DatasetSummary, inspectDataset } from './run/dataset.ts';
export { type Check, type Diagnosis, doctor } from './run/doctor/doctor.ts';
export { type DryRun, dryRun } from './run/dry-run.ts';
export { type EvaluateOptions, type Evaluation, evaluate } from './run/evaluate.ts';
export { type Generated, type GenerateOptions, generate } from './run/generate/generate.ts';
export { type ColumnDescription, type DataDescription, type InspectOptions, inspectData } from './run/inspect.ts';
export type { Confusion, ErrorMeasures, ThresholdMeasures } from './run/measures.ts';
export type { FittedModel } from './run/model.ts';
export { loadModel } from './run/model-folder.ts';
export {
  type ColumnReport,
  type PredictionBlock,
  type Predictions,
  type PredictOptions,
  type PredictReport,
  predict,
} from './run/predict.ts';
export { type PredictFileOptions, type PredictSummary, predictFile } from './run/predict-file.ts';
export { type PrepareOptions, type PrepareSummary, prepare } from './run/prepare.ts';
export { writeReport } from './run/report/report.ts';
export { type ResumeOptions, resume } from './run/resume.ts';
export { type TrainedRun, train } from './run/train.ts';
export type { TrainOptions } from './run/train-options.ts';
export type { Coefficient, PlanSummary, RunEvent, RunSummary, SchemaSummary } from './run/types.ts';
