import { hostOf } from '../../run/host.ts';
import type { PlanSummary, StrategyPlan } from '../../run/types.ts';
import { bytes, count, short } from './numbers.ts';
import type { Style } from './style.ts';
import { section, table } from './table.ts';
import { plural } from './text.ts';

const UNITS = {
  push: ['push', 'pushes'],
  clock: ['clock', 'clocks'],
  round: ['round', 'rounds'],
  meeting: ['meeting', 'meetings'],
  step: ['step', 'steps'],
} as const;

/** Who has which rows or weights, who waits for whom, and what each sends how often: of a strategy that takes mini-batches. */
export function strategyPlanSection(plan: PlanSummary, strategy: StrategyPlan, style: Style): string[] {
  const [one, many] = UNITS[strategy.unit];
  const right = { align: 'right' } as const;
  const inMemory = strategy.sends.every(({ messages }) => messages === 0);
  const columns = [
    { title: 'rank', ...right },
    { title: '' },
    { title: 'training rows, or weights', ...right },
    { title: 'holds', ...right },
    ...(inMemory ? [] : [{ title: `messages per ${one}`, ...right }]),
    { title: `sends per ${one}`, ...right },
  ];
  const rows = strategy.sends.map(({ rank, role, messages, bytes: sent, weights }) => {
    const share = plan.shares[rank];
    const range = weights ?? { begin: share?.rowBegin ?? 0, end: share?.rowEnd ?? 0 };
    const held = weights === undefined ? (share?.bytes ?? 0) : (weights.end - weights.begin) * 8;
    return [
      count(rank),
      role,
      range.end > range.begin ? `${count(range.begin + 1)}–${count(range.end)}` : '–',
      bytes(held),
      ...(inMemory ? [] : [count(messages)]),
      bytes(sent),
    ];
  });
  const all = strategy.sends.reduce((sum, { bytes: sent }) => sum + sent, 0) * strategy.unitsPerEpoch;
  const lines = [
    `  ${count(plan.rows)} rows × ${plural(plan.columns, 'column')} (${plan.dtype}), ${plural(plan.chunks, 'chunk')} of up to ${count(plan.chunkRows)} rows`,
    `  batches of ${plural(strategy.batchRows, 'row')}, ${plural(strategy.unitsPerEpoch, one, many)} an epoch, ${plural(Number(short(strategy.epochs)), 'epoch')}; ${plural(strategy.weights, 'weight')}`,
    `  who waits: ${strategy.waits}`,
  ];
  // One push is one worker's.
  const moved = strategy.unit === 'push' ? pushBytes(strategy) * strategy.unitsPerEpoch : all;
  return section(
    'Plan',
    `${hostOf(plan)}, ${strategy.name}`,
    [...lines, ...table(columns, rows, style), style.dim(`  ${bytes(moved)} an epoch, of all ranks together`)],
    style,
  );
}

/** Of a push and its grants. */
function pushBytes({ sends }: StrategyPlan): number {
  const worker = sends.find(({ role }) => role === 'worker')?.bytes ?? 0;
  return sends.reduce((sum, { role, bytes: sent }) => sum + (role === 'server' ? sent : 0), worker);
}
