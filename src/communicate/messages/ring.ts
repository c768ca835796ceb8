import { leavesOf } from '../../partition/tree.ts';
import type { ControlWord, Elements, Part } from '../collective.ts';
import { brokenChannel, wrongTree } from '../failures.ts';
import { checkValues } from '../geometry.ts';
import { segmentBegin } from '../schedule.ts';
import { bytesOf, elementsOf, errorBody } from './body.ts';
import { bodyOf, KIND } from './links.ts';
import { caught, type Group, type ReduceCall } from './reduction.ts';

/** Before the values of a segment, as f64: length, leaves, bytes per element, control word (−1: not known yet). */
const HEAD = 4;
const UNKNOWN = -1;

/**
 * All-reduce in a ring, for comparison: each rank adds its own nodes, then segments go round, each rank adding its part, and
 * round again. Every rank sends to its next one only, 2 (P − 1) times. The order of additions follows the ring: all ranks get
 * the same bits, but another number of ranks gets others, and nobody sees the whole tree, so one that is incomplete or doubled
 * is not noticed.
 */
export function ringOf(group: Group): (call: ReduceCall) => Promise<ControlWord> {
  const { rank, size, links } = group;
  const next = (rank + 1) % size;
  const before = (rank + size - 1) % size;
  return async (call) => {
    const { step, shape, into } = call;
    const { length, leaves } = shape;
    const width = into.BYTES_PER_ELEMENT;
    let refusal = caught(() => checkValues(rank, shape, call.parts, into));
    refusal ??= caught(() => addOwn(rank, call));
    let control: ControlWord | typeof UNKNOWN = rank === 0 ? call.control : UNKNOWN;
    const segment = (i: number): Elements => {
      const at = (i + 2 * size) % size;
      return into.subarray(segmentBegin(length, at, size), segmentBegin(length, at + 1, size)) as Elements;
    };
    const take = (body: Uint8Array, target: Elements, adds: boolean): void => {
      const head = body.length < HEAD * 8 ? [] : elementsOf(body, 0, HEAD, 8);
      const theirs = head[3] as ControlWord | typeof UNKNOWN;
      if (head[0] !== length || head[1] !== leaves || head[2] !== width)
        throw wrongTree(before, `it adds ${head[0]} elements of ${head[2]} bytes over ${head[1]} leaves, rank ${rank} another vector`);
      if (body.length !== HEAD * 8 + target.byteLength) throw brokenChannel(before, 'a segment of an all-reduce is malformed');
      if (theirs !== UNKNOWN) control = theirs;
      const values = elementsOf(body, HEAD * 8, target.length, width);
      // What came is the sum of the ranks before.
      if (adds) for (let i = 0; i < target.length; i += 1) target[i] = (values[i] as number) + (target[i] as number);
      else target.set(values);
    };
    // Reduce-scatter: afterwards segment rank + 1 is whole here. Then all-gather. A refusal goes round like a segment.
    for (let turn = 0; turn < 2 * (size - 1); turn += 1) {
      const adds = turn < size - 1;
      if (turn % (size - 1) === 0) group.enter(adds ? 'reduce-scatter' : 'all-gather', step);
      const out = segment(rank - turn);
      const pieces =
        refusal === undefined ? [bytesOf(Float64Array.of(length, leaves, width, control)), bytesOf(out)] : [errorBody(refusal)];
      const kind = refusal === undefined ? KIND.ring : KIND.refusal;
      const sent = links.send(next, kind, step, pieces, refusal === undefined ? out.byteLength : 0);
      const [answers] = await Promise.all([links.receive([before], KIND.ring, step), sent]);
      refusal ??= caught(() => take(bodyOf(answers, before), segment(rank - turn - 1), adds));
    }
    if (refusal !== undefined) throw refusal;
    return control === UNKNOWN ? call.control : control;
  };
}

/** The sum of a rank's own parts, in the order of their leaves; zeros where it has none. */
function addOwn(rank: number, { shape, parts, into }: ReduceCall): void {
  const firstLeaf = ({ node }: Part<Elements>): number => {
    const leaves = leavesOf(node, shape.leaves);
    if (!(leaves.begin < leaves.end))
      throw wrongTree(rank, `node (${node.level}, ${node.index}) does not belong to this tree of ${shape.leaves} leaves`);
    return leaves.begin;
  };
  const inOrder = parts.map((part) => ({ part, leaf: firstLeaf(part) })).sort((a, b) => a.leaf - b.leaf);
  into.fill(0);
  for (const { part } of inOrder) {
    const { begin, end, values } = part;
    if (!(begin >= 0 && begin <= end && end <= shape.length))
      throw wrongTree(rank, `elements [${begin}, ${end}) do not lie in this vector`);
    if (values !== undefined)
      for (let i = 0; i < values.length; i += 1) into[begin + i] = (into[begin + i] as number) + (values[i] as number);
  }
}
