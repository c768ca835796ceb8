import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { BatchSetup } from '../../../src/strategies/batch-setup.ts';
import { RuleUpdater } from '../../../src/strategies/parameter-server/updater.ts';
import { RULES } from '../../../src/update/batch/rules.ts';

/** Law: with clocks, which have the rows of all workers, the schedule goes by the rows that were read, whatever numbers of workers read them. */

const COORDINATES = 3;
const ROWS_EACH = 32;
const ROWS = 4800;

function updaterOf(workers: number, epochsAt: number[]): RuleUpdater {
  const setup = {
    problem: { layout: { columns: COORDINATES - 1 } },
    rule: RULES.sgd({ momentum: 0.5 }),
    rate: 1,
    preconditioner: { apply: () => undefined },
    factorAt: (step: number, perEpoch: number) => {
      epochsAt.push(step / perEpoch);
      return 1;
    },
  } as unknown as BatchSetup;
  return new RuleUpdater(setup, { begin: 0, end: COORDINATES }, ROWS / (workers * ROWS_EACH));
}

test('a schedule goes on where it was with other numbers of workers, and from every snapshot', () => {
  const parts = fc.array(fc.record({ workers: fc.integer({ min: 1, max: 6 }), clocks: fc.integer({ min: 1, max: 9 }) }), {
    minLength: 1,
    maxLength: 6,
  });
  fc.assert(
    fc.property(parts, (groups) => {
      const epochsAt: number[] = [];
      const expected: number[] = [];
      let rows = 0;
      let state: unknown;
      for (const [i, { workers, clocks }] of groups.entries()) {
        const updater = updaterOf(workers, epochsAt);
        if (state !== undefined) updater.restore(structuredClone(state));
        if (i > 0 && groups[i - 1]?.workers !== workers) updater.goOnAt(rows / ROWS);
        for (let clock = 0; clock < clocks; clock += 1) {
          expected.push(rows / ROWS);
          updater.update(new Float64Array(COORDINATES), new Float64Array(COORDINATES), 1);
          rows += workers * ROWS_EACH;
        }
        state = updater.state();
      }
      expect(epochsAt).toHaveLength(expected.length);
      for (const [at, epochs] of epochsAt.entries()) expect(epochs).toBeCloseTo(expected[at] as number, 9);
    }),
  );
});
