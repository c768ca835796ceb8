import type { PlanSummary, RunEvent } from '../../run/types.ts';
import { bytes, count, rate, seconds, significant } from './numbers.ts';
import { gapText, partLeft } from './outcome.ts';
import { plural } from './text.ts';

/** What the progress line knows: made from events, nothing else. */
export interface ProgressState {
  readonly phase: 'opening' | 'download' | 'statistics' | 'encode' | 'training';
  readonly rows: number;
  readonly download: { readonly bytes: number; readonly total: number | undefined };
  readonly plan: PlanSummary | undefined;
  readonly step: { passes: number; objective: number; gap: number; nullLoss: number; atMs: number } | undefined;
}

export const INITIAL: ProgressState = {
  phase: 'opening',
  rows: 0,
  download: { bytes: 0, total: undefined },
  plan: undefined,
  step: undefined,
};

export function progressAfter(state: ProgressState, event: RunEvent): ProgressState {
  switch (event.kind) {
    case 'download':
      return { ...state, phase: 'download', download: event };
    case 'reading':
      return { ...state, phase: event.part, rows: event.rows };
    case 'plan':
      return { ...state, phase: 'training', plan: event.plan };
    case 'steps':
      return { ...state, phase: 'training', step: event.steps.at(-1) ?? state.step };
    default:
      return state;
  }
}

/** Bytes of x that one pass reads. */
function passBytes(plan: PlanSummary): number {
  return plan.shares.reduce((sum, share) => sum + share.bytes, 0);
}

/** The line, without colour: phase and rows, then pass, loss, gap, speed; and the time since the start. */
export function progressLine(state: ProgressState, elapsedMs: number): string {
  const time = seconds(elapsedMs / 1000);
  if (state.phase === 'opening') return ['opening', time].join('   ');
  if (state.phase === 'download') {
    const { bytes: done, total } = state.download;
    return ['downloading', total === undefined ? bytes(done) : `${bytes(done)} of ${bytes(total)}`, time].join('   ');
  }
  if (state.phase !== 'training')
    return [state.phase === 'statistics' ? 'reading' : 'encoding', plural(state.rows, 'row'), time].join('   ');
  const { step, plan } = state;
  if (step === undefined || plan === undefined) return ['training', 'starting', time].join('   ');
  const parts = ['training', `pass ${count(Math.floor(step.passes))}`];
  // Strategies that judge weights after the run do not know it before.
  if (!Number.isNaN(step.objective)) parts.push(`loss ${significant(step.objective, 6)}`);
  const gap = partLeft(step.gap, step.nullLoss, step.objective);
  if (!Number.isNaN(gap)) parts.push(`gap ${gapText(gap)}`);
  if (step.atMs > 0 && step.passes > 0) {
    const perSecond = (step.passes * 1000) / step.atMs;
    parts.push(`${rate(perSecond * plan.rows)} rows/s`, `${bytes(perSecond * passBytes(plan))}/s`);
  }
  return [...parts, time].join('   ');
}
