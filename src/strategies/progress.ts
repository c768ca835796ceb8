import type { BatchSetup } from './batch-setup.ts';
import type { StepRecord } from './job.ts';
import type { RankHost } from './strategy.ts';

/** Tells of a step whose objective nobody knows yet: rank 0's word is heard, the others' is not. */
export function batchProgress(
  { nullLoss }: BatchSetup,
  host: RankHost,
  { updates, passes, atMs, objective = Number.NaN }: { updates: number; passes: number; atMs: number; objective?: number },
): void {
  if (host.rank !== 0) return;
  const step: StepRecord = { iteration: updates, passes, objective, nullLoss, gap: Number.NaN, gradientNorm: Number.NaN, atMs };
  host.onStep(step);
}
