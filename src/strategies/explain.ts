import type { Part } from '../communicate/collective.ts';
import { columnOfBlock } from '../partition/layout.ts';
import type { Problem } from '../update/optimizer.ts';
import type { Pass } from '../update/pass.ts';
import type { Evaluator } from './evaluator.ts';
import type { FirstStep, PartialGradient, TrainingJob } from './job.ts';
import type { RankHost } from './strategy.ts';

/** Keeps this rank's own parts of the last gradient pass: what it is about to hand to the others. */
export class PartsRecorder {
  #parts: readonly Part[] = [];

  see(pass: Pass, parts: readonly Part[]): void {
    if (pass.kind === 'gradient') this.#parts = parts;
  }

  /** Sum of the own nodes (for people to read: not in tree order), by coordinate; how many nodes, how many bytes. */
  sum(length: number): { values: Float64Array; nodes: number; bytes: number } {
    const values = new Float64Array(length);
    let bytes = 0;
    for (const part of this.#parts) {
      part.values?.forEach((value, i) => {
        values[part.begin + i] = (values[part.begin + i] as number) + value;
      });
      bytes += part.values?.byteLength ?? 0;
    }
    return { values, nodes: new Set(this.#parts.map(({ node }) => `${node.level}/${node.index}`)).size, bytes };
  }
}

/**
 * One gradient at the start, and what each rank contributed to it: the two-processor example of the textbooks, on the
 * user's own data. Costs a pass, and changes nothing.
 */
export async function explainFirstStep(
  job: TrainingJob,
  evaluator: Evaluator,
  problem: Problem,
  host: RankHost,
  recorder: PartsRecorder,
): Promise<FirstStep> {
  const { layout } = problem;
  // Row scalars of a gradient at one vector: loss, and the intercept of every output.
  const outputs = problem.classes ?? 1;
  const scalars = 1 + outputs;
  const [sum] = await evaluator.evaluate({ kind: 'gradient', at: [problem.start] });
  const share = job.partition.shares[host.rank] as TrainingJob['partition']['shares'][number];
  const columnBegin = columnOfBlock(layout, share.blockBegin);
  const columnEnd = columnOfBlock(layout, share.blockEnd);
  const own = recorder.sum(scalars + outputs * layout.columns);
  const columns = Array.from({ length: outputs }, (_, k) => {
    const first = scalars + k * layout.columns;
    return [...own.values.subarray(first + columnBegin, first + columnEnd)];
  });
  const message = new Float64Array([own.nodes, own.bytes, ...own.values.subarray(0, scalars), ...columns.flat()]);
  const gathered = await host.world.allGather(new Uint8Array(message.buffer));
  const partials = gathered.map((bytes, rank): PartialGradient => {
    const values = new Float64Array(bytes.slice().buffer);
    const theirs = job.partition.shares[rank] as typeof share;
    const headed = theirs.blockBegin === 0;
    return {
      rank,
      nodes: values[0] as number,
      bytes: values[1] as number,
      columnBegin: columnOfBlock(layout, theirs.blockBegin),
      columnEnd: columnOfBlock(layout, theirs.blockEnd),
      loss: headed ? (values[2] as number) : undefined,
      intercept: headed ? (values[3] as number) : undefined,
      ...(outputs > 1 ? { others: headed ? values.slice(4, 2 + scalars) : undefined } : {}),
      columns: values.slice(2 + scalars),
    };
  });
  return {
    start: problem.start,
    partials,
    sum: sum ?? { loss: 0, intercept: 0, columns: new Float64Array(outputs * layout.columns) },
    divisor: problem.weightSum,
    l2: problem.l2,
  };
}
