import { hostOf } from '../../run/host.ts';
import type { PlanSummary, RunSummary } from '../../run/types.ts';
import { alignPoints, bytes, count, short, signed } from './numbers.ts';
import { optimizerName } from './outcome.ts';
import type { Style } from './style.ts';
import { section, table } from './table.ts';
import { clean, cutMiddle, plural } from './text.ts';

const COORDINATES_SHOWN = 8;
/** Workers beside each other: more than this are shortened to the first and the last. */
const WORKERS_SHOWN = 3;
const NAME_WIDTH = 24;

type FirstStep = NonNullable<RunSummary['firstStep']>;

/** 1–500 for [0, 500), – for an empty range. */
function range(begin: number, end: number): string {
  if (end <= begin) return '–';
  return end === begin + 1 ? count(end) : `${count(begin + 1)}–${count(end)}`;
}

/** The split is not the only one where workers may come and go. */
function elasticRows({ leastWorkers, workers }: PlanSummary): string[] {
  if (leastWorkers === undefined) return [];
  return [`  workers may come and go, from ${leastWorkers} to ${workers}: split anew every time, here for ${workers}`];
}

/** Who owns which rows and columns, what it holds, and what it hands to the others in a step. */
export function planSection(plan: PlanSummary, style: Style): string[] {
  const host = hostOf(plan);
  const shape = `${count(plan.rows)} rows × ${plural(plan.columns, 'column')} (${plan.dtype})`;
  const cuts = `${plural(plan.chunks, 'chunk')} of up to ${count(plan.chunkRows)} rows, ${plural(plan.blocks, 'block')} of up to ${plural(plan.blockColumns, 'column')}`;
  const messages = plan.communicate !== undefined;
  // Where messages are counted, the exchange of dots is among them.
  const dots = !messages && plan.shares.some(({ dotBytes }) => dotBytes > 0);
  const right = { align: 'right' } as const;
  const columns = [
    { title: 'worker', ...right },
    { title: 'training rows', ...right },
    { title: 'columns', ...right },
    { title: 'holds', ...right },
    { title: 'tree nodes', ...right },
    ...(messages ? [{ title: 'messages per step', ...right }] : []),
    { title: 'sends per step', ...right },
    ...(dots ? [{ title: 'of it partial dots', ...right }] : []),
  ];
  const rows = plan.shares.map((share) => [
    count(share.rank),
    range(share.rowBegin, share.rowEnd),
    range(share.columnBegin, share.columnEnd),
    bytes(share.bytes),
    count(share.nodes),
    ...(messages ? [count(share.sent?.messages ?? 0)] : []),
    bytes(share.sent?.bytes ?? share.gradientBytes + share.dotBytes),
    ...(dots ? [bytes(share.dotBytes)] : []),
  ]);
  return section(
    'Plan',
    `${host}, split by ${plan.partition}${plan.communicate === undefined ? '' : `, ${plan.communicate}`}`,
    [`  ${shape}`, `  ${cuts}`, ...elasticRows(plan), ...table(columns, rows, style)],
    style,
  );
}

/**
 * What a worker contributed to coordinate j (undefined: the intercept); undefined where another one owns it. Coordinates of several
 * classes stand one class after the other, of a worker those of its own columns.
 */
function partOf(partial: FirstStep['partials'][number], j: number | undefined, columns: number): number | undefined {
  if (j === undefined) return partial.intercept;
  const column = j % columns;
  const own = partial.columnEnd - partial.columnBegin;
  if (column < partial.columnBegin || column >= partial.columnEnd) return undefined;
  return partial.columns[((j - column) / columns) * own + column - partial.columnBegin];
}

/** Columns of one output. */
function columnsOf(step: FirstStep): number {
  return step.sum.columns.length / (1 + (step.sum.others?.length ?? 0));
}

/** The coordinates that are shown: the intercept, then the columns of the largest sums, in their order. */
function coordinates(step: FirstStep, names: readonly string[]): { name: string; j: number | undefined }[] {
  const size = (j: number): number => Math.abs(step.sum.columns[j] as number);
  const largest = Array.from(step.sum.columns, (_, j) => j)
    .sort((a, b) => size(b) - size(a) || a - b)
    .slice(0, COORDINATES_SHOWN)
    .sort((a, b) => a - b);
  const columns = largest.map((j) => ({ name: cutMiddle(clean(names[j] ?? `column ${j + 1}`), NAME_WIDTH), j }));
  return [{ name: step.sum.others === undefined ? 'intercept' : 'intercept, first class', j: undefined }, ...columns];
}

interface Coordinate {
  readonly name: string;
  readonly weight: number;
  readonly sum: number;
  readonly gradient: number;
  readonly parts: readonly (number | undefined)[];
}

function coordinatesOf(step: FirstStep, names: readonly string[]): Coordinate[] {
  const columns = columnsOf(step);
  return coordinates(step, names).map(({ name, j }) => {
    const sum = j === undefined ? step.sum.intercept : (step.sum.columns[j] as number);
    const weight = j === undefined ? step.start.intercept : (step.start.weights[j] as number);
    const gradient = sum / step.divisor + (j === undefined ? 0 : step.l2 * weight);
    return { name, weight, sum, gradient, parts: step.partials.map((partial) => partOf(partial, j, columns)) };
  });
}

/**
 * The first gradient as the textbooks show it: what each worker found on its own rows, their sum, and the gradient.
 *
 * @param names of the encoded columns, in order; with several classes of those of each class
 */
export function firstStepSection(step: FirstStep, names: readonly string[], style: Style): string[] {
  const shown = coordinatesOf(step, names);
  const workers = step.partials.length <= WORKERS_SHOWN ? step.partials.map((_, i) => i) : [0, -1, step.partials.length - 1];
  const right = { align: 'right' } as const;
  const numbers = (values: readonly (number | undefined)[]): string[] =>
    alignPoints(values.map((value) => (value === undefined ? '·' : short(value, 6))));
  const cells = [
    ...workers.map((i) => (i < 0 ? shown.map(() => '…') : numbers(shown.map(({ parts }) => parts[i])))),
    numbers(shown.map(({ sum }) => sum)),
    numbers(shown.map(({ gradient }) => gradient)),
  ];
  const columns = [
    { title: 'derivative by' },
    ...workers.map((i) => ({ title: i < 0 ? '…' : `worker ${i}`, ...right })),
    { title: 'sum', ...right },
    { title: 'gradient', ...right },
  ];
  const rows = shown.map(({ name }, k) => [name, ...cells.map((column) => column[k] as string)]);
  const rest = step.sum.columns.length - (shown.length - 1);
  const lines = [
    ...table(columns, rows, style),
    ...(rest > 0 ? [style.dim(`  and ${plural(rest, 'column')} with smaller sums`)] : []),
    `  gradient = sum ÷ ${short(step.divisor, 8)} + ${short(step.l2, 6)} · weight${style.dim('   (rows in training; l2, not for the intercept)')}`,
  ];
  // Each worker of a grid, or with all rows, has some of the columns only.
  const all = step.partials.every(({ columnBegin, columnEnd }) => columnEnd - columnBegin === columnsOf(step));
  return section('First step', `every worker adds up its own rows${all ? '' : ' and columns'}, then the parts are added`, lines, style);
}

/** w ← w − rate · gradient with the numbers, for gradient descent at a given rate; else how to see it. */
export function updateSection(
  step: FirstStep,
  names: readonly string[],
  optimizer: string,
  rate: number | undefined,
  style: Style,
): string[] {
  if (optimizer !== 'gradient-descent' || rate === undefined)
    return [
      '',
      style.bold('Update') + style.dim(`  ${optimizerName(optimizer)}; in numbers with --optimizer gradient-descent --learning-rate 0.01`),
    ];
  const shown = coordinatesOf(step, names);
  const olds = alignPoints(shown.map(({ weight }) => short(weight, 6)));
  const gradients = alignPoints(shown.map(({ gradient }) => short(gradient, 6)));
  const news = alignPoints(shown.map(({ weight, gradient }) => signed(short(weight - rate * gradient, 6))));
  const rows = shown.map(({ name }, k) => [name, olds[k] as string, `- ${short(rate, 6)} × ${gradients[k]}`, `= ${news[k]}`]);
  return section('Update', 'weight - learning rate × gradient = new weight', table([{}, { align: 'right' }, {}, {}], rows, style), style);
}
