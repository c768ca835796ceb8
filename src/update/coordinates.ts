import type { Problem } from './optimizer.ts';
import type { Vector } from './pass.ts';

/**
 * Vectors as one array each, as update rules, servers and messages see them: the weights of all outputs, then their intercepts. The
 * order is that of docs/numerics.md §5.
 */

/** How many there are. */
export function coordinateCount({ layout, classes = 1 }: Pick<Problem, 'layout' | 'classes'>): number {
  return classes * (layout.columns + 1);
}

export function coordinatesOf({ weights, intercept, others }: Vector): Float64Array {
  const coordinates = new Float64Array(weights.length + 1 + (others?.length ?? 0));
  coordinates.set(weights);
  coordinates[weights.length] = intercept;
  if (others !== undefined) coordinates.set(others, weights.length + 1);
  return coordinates;
}

/** The vector of coordinates; its arrays are views. */
export function vectorOn(coordinates: Float64Array, outputs: number): Vector {
  const count = coordinates.length - outputs;
  const vector = { weights: coordinates.subarray(0, count), intercept: coordinates[count] };
  return outputs === 1 ? vector : { ...vector, others: coordinates.subarray(count + 1) };
}

/** l2 per coordinate, 0 for intercepts: for rules that take the penalty themselves. */
export function decayOf(problem: Pick<Problem, 'layout' | 'classes' | 'l2'>): Float64Array {
  const count = coordinateCount(problem);
  return new Float64Array(count).fill(problem.l2).fill(0, count - (problem.classes ?? 1));
}
