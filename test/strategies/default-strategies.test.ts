import { describe, expect, test } from 'vitest';
import { inline } from '../../src/engines/inline.ts';
import type { StrategyChoice } from '../../src/strategies/choice.ts';
import type { TrainingJob, TrainingOutcome } from '../../src/strategies/job.ts';
import { ranksOf } from '../../src/strategies/registry.ts';
import { bitsOf, strategyJob, threadsOfFile } from './choices.ts';

/** Laws of strategies with the schedules and rates that they choose themselves, and of what they tell about themselves. */

const onThreads = threadsOfFile();
const run = (job: TrainingJob): Promise<TrainingOutcome> => inline.open(ranksOf(job)).train(job, {});

const WAYS: Partial<StrategyChoice>[] = [
  { staleness: 'asynchronous' },
  { staleness: 0 },
  { staleness: 3 },
  { name: 'local-sgd', clients: 1 },
  { name: 'gossip' },
  { name: 'hogwild' },
];

test.each(['cosine', 'step', 'inverse-sqrt'] as const)(
  'one worker, schedule %s, batches that leave a rest: every way to wait is serial descent, to the bit',
  async (schedule) => {
    for (const epochs of [1, 6]) {
      const optimizerOptions = { tolerance: 0, learningRate: 'auto', batchSize: 400, epochs, schedule } as const;
      const bits: string[] = [];
      for (const choice of WAYS)
        bits.push(bitsOf(await run(strategyJob('linear', { batchSize: 400, ...choice }, 1, { optimizerOptions }))));
      // It has the best weights in the end, which after one epoch are the last.
      if (epochs === 1) bits.push(bitsOf(await run({ ...strategyJob('linear', {}, 1, { optimizerOptions }), strategy: undefined })));
      expect(new Set(bits).size, `${epochs} epochs: ${bits.map((each) => each.slice(0, 8))}`).toBe(1);
    }
  },
);

describe('late gradients among four workers that push in turn', () => {
  const optimizerOptions = { tolerance: 5e-3, learningRate: 'auto', batchSize: 64, epochs: 10 } as const;
  const closedTo = async (late: StrategyChoice['late']): Promise<number> => {
    const { progress, nullLoss } = await run(strategyJob('linear', { late, batchSize: 64 }, 4, { optimizerOptions }));
    return progress.gap / (nullLoss - progress.objective);
  };

  test('damping takes the place of the smaller rate that a delay needs, and does not come on top', async () => {
    expect(await closedTo('damp')).toBeLessThan(3 * (await closedTo('apply')) + 1e-4);
  });
});

describe('costs', () => {
  test.each([{}, { staleness: 1 }, { name: 'local-sgd' }, { name: 'gossip' }, { name: 'hogwild' }] as Partial<StrategyChoice>[])(
    '%o: no time is below 0, and the curve goes forward',
    async (choice) => {
      const job = strategyJob('linear', choice, 2, {
        optimizerOptions: { tolerance: 1e-6, learningRate: 'auto', batchSize: 32, epochs: 8 },
      });
      const { costs, trainMs } = await onThreads(job);
      for (const { computeMs, waitMs, communicateMs } of costs?.ranks ?? []) {
        expect(Math.min(computeMs, waitMs, communicateMs)).toBeGreaterThanOrEqual(-1e-6);
        expect(computeMs + waitMs + communicateMs).toBeGreaterThan(0);
      }
      const times = (costs?.curve ?? []).map(({ atMs }) => atMs);
      expect(times).toEqual([...times].sort((a, b) => a - b));
      expect(times.at(-1)).toBe(trainMs);
    },
  );
});
