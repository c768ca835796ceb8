import { meanOf, type RankCosts, type RunCosts } from '../../monitor/costs.ts';
import { count, percent, significant } from './numbers.ts';
import type { Style } from './style.ts';
import { section, table } from './table.ts';

/** Ranks that are listed. */
const SHOWN = 8;

/** Where the time of every rank went. Nothing for one rank alone. */
export function costsSection(costs: RunCosts | undefined, style: Style): string[] {
  if (costs === undefined || costs.ranks.length < 2) return [];
  const right = { align: 'right' } as const;
  const columns = [
    {},
    { title: 'computing', ...right },
    { title: 'waiting', ...right },
    { title: 'communicating', ...right },
    { title: 'sent', ...right },
    { title: 'steps', ...right },
  ];
  const rows = costs.ranks.slice(0, SHOWN).map((rank) => rowOf(rank));
  const rest = costs.ranks.length - SHOWN;
  const lines = [...table(columns, rows, style), ...(rest > 0 ? [style.dim(`  and ${count(rest)} more (--json lists all)`)] : [])];
  return [...section('Cost', `workers computed ${percent(costs.utilisation)} of the time`, lines, style), ...lateRows(costs, style)];
}

function rowOf({ rank, role, of, computeMs, waitMs, communicateMs, bytesSent, steps }: RankCosts): string[] {
  const all = computeMs + waitMs + communicateMs;
  const share = (ms: number): string => (all > 0 ? percent(ms / all) : '–');
  return [
    `${role} ${rank}${of === undefined ? '' : ` (of ${of})`}`,
    share(computeMs),
    share(waitMs),
    share(communicateMs),
    bytes(bytesSent),
    count(steps),
  ];
}

function bytes(value: number): string {
  const [unit, name] = value >= 1e9 ? [1e9, 'GB'] : value >= 1e6 ? [1e6, 'MB'] : value >= 1e3 ? [1e3, 'kB'] : [1, 'B'];
  return `${significant(value / unit)} ${name}`;
}

function lateRows({ staleness, refused, lost }: RunCosts, style: Style): string[] {
  const applied = staleness.reduce((sum, each) => sum + each, 0);
  if (applied === 0) return [];
  const oldest = staleness.length - 1;
  const parts = [`gradients were ${significant(meanOf(staleness))} updates old on average, ${count(oldest)} at most`];
  if (refused > 0) parts.push(`${count(refused)} were refused as late`);
  if (lost > 0) parts.push(`${count(lost)} updates were lost with a server`);
  return parts.map((text) => style.dim(`  ${text}`));
}
