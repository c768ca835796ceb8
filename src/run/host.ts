import type { PlanSummary } from './types.ts';

/** Who computes, in words: `one thread`, `7 workers in one thread`, `2 threads`, `3 processes`, `2 to 6 processes`. */
export function hostOf({ engine, workers, leastWorkers }: Pick<PlanSummary, 'engine' | 'workers' | 'leastWorkers'>): string {
  if (engine === 'inline') return workers === 1 ? 'one thread' : `${workers} workers in one thread`;
  if (engine === 'threads') return workers === 1 ? '1 thread' : `${workers} threads`;
  if (leastWorkers !== undefined) return `${leastWorkers} to ${workers} processes`;
  return workers === 1 ? '1 process' : `${workers} processes`;
}
