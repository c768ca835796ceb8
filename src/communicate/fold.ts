import { coverOf, leavesOf, type NodeId } from '../partition/tree.ts';
import type { Geometry } from './geometry.ts';
import { bordersOf, checkOnce, checkShapes, firstPartsOf, type Placed, placedParts, programOf, type Schedule } from './schedule.ts';

/** A node that parts of some ranks add up to, on a range of elements. */
export interface Fold {
  readonly node: NodeId;
  readonly begin: number;
  readonly end: number;
  /** Adds it. Of one part: there is nothing to add. */
  readonly schedule: Schedule;
}

/** How the parts of some ranks are added as far as they are whole subtrees: the fewest nodes that have the same leaves. */
export interface FoldPlan {
  readonly geometries: readonly Geometry[];
  readonly begin: number;
  readonly end: number;
  readonly folds: readonly Fold[];
}

/** Ranges of leaves without a gap. `parts` ascend by leaf. */
function runsOf(parts: readonly Placed[]): { begin: number; end: number }[] {
  const runs: { begin: number; end: number }[] = [];
  for (const { firstLeaf, endLeaf } of parts) {
    const last = runs.at(-1);
    if (last?.end === firstLeaf) last.end = endLeaf;
    else runs.push({ begin: firstLeaf, end: endLeaf });
  }
  return runs;
}

/**
 * How the parts of some ranks are added on the elements [begin, end), as far as the tree allows without those of others. Each node
 * that comes out is what the tree has there, so whoever adds it to others gets the bits of the whole.
 *
 * @param ranks whose geometries they are
 * @throws PARAGRAD_TREE when shapes differ, a node or range is foreign, or a leaf came twice
 */
export function foldPlanOf(geometries: readonly Geometry[], begin: number, end: number, ranks: readonly number[]): FoldPlan {
  checkShapes(geometries, ranks);
  const { leaves } = geometries[0] as Geometry;
  const firstPart = firstPartsOf(geometries);
  const placed = placedParts(geometries, ranks, firstPart, begin, end);
  const borders = bordersOf(placed, begin, end);
  const folds = borders.slice(1).flatMap((to, i) => {
    const from = borders[i] as number;
    const covering = placed.filter((part) => part.begin <= from && part.end >= to);
    checkOnce(covering, from, to);
    const nodes = runsOf(covering).flatMap((run) => coverOf(run.begin, run.end, leaves));
    return nodes.map((node): Fold => {
      const under = leavesOf(node, leaves);
      const parts = covering.filter(({ firstLeaf, endLeaf }) => firstLeaf >= under.begin && endLeaf <= under.end);
      const { program, depth } = programOf(parts, leaves, node);
      const spans = [{ begin: from, end: to, program, partsOfRank: new Int32Array(0) }];
      return { node, begin: from, end: to, schedule: { geometries, begin: from, end: to, spans, firstPart, depth } };
    });
  });
  return { geometries, begin, end, folds };
}
