import { type Layout, panelRows, panelsOf } from '../partition/layout.ts';
import type { Problem } from './optimizer.ts';
import type { PanelSample, TotalsSums } from './pass.ts';

/** The sample of rows that the metric M is built from (docs/numerics.md §6). */

const ROWS_PER_COLUMN = 20;
const MAX_COUNTED_COLUMNS = 1024;
const BASE_ROWS = 1024;
/** Outer iterations from which on the sample grows. */
const GROWTH = 4;
const MAX_TILT = 16;

/** Panels m = min(panels, ⌈f·(20·min(columns, 1024) + 1024) / P⌉), f = max(1, outer iteration / 4). */
export function sampleAt(layout: Layout, outerIteration: number): PanelSample {
  const growth = Math.max(1, outerIteration / GROWTH);
  const rows = growth * (ROWS_PER_COLUMN * Math.min(layout.columns, MAX_COUNTED_COLUMNS) + BASE_ROWS);
  return { count: Math.min(panelsOf(layout), Math.ceil(rows / panelRows(layout.dtype))) };
}

/** Whether the tilt of this sample is 1 everywhere without counting: it is all rows, or there are no indicators. */
export function isEven(problem: Problem, sample: PanelSample): boolean {
  return sample.count === panelsOf(problem.layout) || problem.indicators.every((flag) => flag === 0);
}

/**
 * Row weights that even out rare categories: t_j = clamp((Σvx_j/V) / (Σvx_j/Σv over the sample), 1/16, 16) for indicator
 * columns that the sample shows, 1 for all others. Without totals: 1 everywhere.
 */
export function tiltOf(problem: Problem, totals: TotalsSums | undefined): Float64Array {
  const tilt = new Float64Array(problem.layout.columns).fill(1);
  if (totals === undefined) return tilt;
  for (let j = 0; j < tilt.length; j += 1) {
    const share = totals.columns[j] / totals.v;
    if (problem.indicators[j] === 1 && share > 0) tilt[j] = Math.min(MAX_TILT, Math.max(1 / MAX_TILT, problem.columnMeans[j] / share));
  }
  return tilt;
}
