import { at, axes, PAPER, path, svg } from './frame.ts';
import { linearScale, logScale } from './scale.ts';

export interface LossPoint {
  readonly passes: number;
  /** Penalty included; null before it is known. */
  readonly objective: number | null;
}

export interface LossCurve {
  readonly points: readonly LossPoint[];
  readonly nullLoss: number;
  /** The lowest objective that can be reached, as far as it is known. */
  readonly best: number;
}

/** More markers than this are a line. */
const MOST_MARKERS = 40;
/** More points than this cannot be told apart. */
const MOST_POINTS = 600;
/** Below this, differences of losses are rounding. */
const LEAST_PART = 1e-15;
/** Above this, there was nothing to gain. */
const MOST_PART = 1e15;

/** How much of the possible gain is still to come after each pass, by powers of ten. Undefined when there is nothing to show. */
export function lossCurve({ points, nullLoss, best }: LossCurve): string | undefined {
  const gain = nullLoss - best;
  if (!(gain > 0)) return undefined;
  const known = points.flatMap(({ passes, objective }): [number, number][] => {
    const part = objective === null ? Number.NaN : (objective - best) / gain;
    return part > 0 ? [[passes, Math.min(MOST_PART, Math.max(part, LEAST_PART))]] : [];
  });
  const step = Math.max(1, Math.ceil(known.length / MOST_POINTS));
  const shown = known.filter((_, i) => i % step === 0 || i === known.length - 1);
  if (shown.length === 0) return undefined;
  const parts = shown.map(([, part]) => part);
  const passes = shown.map(([pass]) => pass);
  const { width, height, left, right, top, bottom } = PAPER;
  const first = Math.min(...passes);
  const x = wholes(first, Math.max(...passes, first + 1), left, width - right);
  const y = logScale(Math.min(...parts, 0.1), Math.max(...parts, 1), height - bottom, top);
  const places = shown.map(([pass, part]) => [x.at(pass), y.at(part)] as const);
  const [start, end] = [places[0] as readonly [number, number], places[places.length - 1] as readonly [number, number]];
  const area = `${path(places)}L${at(end[0])} ${height - bottom}L${at(start[0])} ${height - bottom}Z`;
  const markers =
    places.length > MOST_MARKERS
      ? ''
      : places
          .map(
            ([cx, cy], i) =>
              `<circle class="dot" r="3.5" cx="${at(cx)}" cy="${at(cy)}"><title>pass ${shown[i]?.[0]}: ${shown[i]?.[1].toExponential(1)} of the gain to come</title></circle>`,
          )
          .join('');
  const body = `${axes(PAPER, x, y, { x: 'passes over the training rows', y: 'part of the gain still to come' })}<path class="area" d="${area}"/><path class="curve" d="${path(places)}"/>${markers}`;
  return svg('The gain that is still to come, by pass', PAPER, body);
}

/** There are no halves of passes. */
function wholes(low: number, high: number, from: number, to: number): ReturnType<typeof linearScale> {
  const scale = linearScale(low, high, from, to);
  return { ...scale, ticks: scale.ticks.filter(Number.isInteger) };
}
