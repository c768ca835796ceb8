import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { dryRunResult } from '../../src/cli/format/dry-run-result.ts';
import { PLAIN } from '../../src/cli/format/style.ts';
import { inline } from '../../src/engines/inline.ts';
import { dryRun, type TrainOptions } from '../../src/index.ts';
import { strategyPlan } from '../../src/run/strategy-plan.ts';
import { DEFAULT_EPOCHS } from '../../src/strategies/batch-setup.ts';
import type { StrategyChoice } from '../../src/strategies/choice.ts';
import { ranksOf } from '../../src/strategies/registry.ts';
import { strategyJob } from '../strategies/choices.ts';

/** What a dry run says of a strategy is what a run then sends. */
const CASES: [string, Partial<StrategyChoice>, number][] = [
  ['asynchronous', { servers: 2 }, 3],
  ['with clocks', { staleness: 1, servers: 3 }, 2],
  ['gossip', { name: 'gossip', topology: 'ring', syncEvery: 3 }, 4],
];

describe('bytes and messages', () => {
  test.each(CASES)('%s', async (_, choice, workers) => {
    const job = strategyJob('linear', choice, workers);
    const { layout } = job.store.training;
    const plan = strategyPlan(layout, { engine: 'inline', partition: job.partition }, job.strategy as StrategyChoice, { epochs: 4 }, 1);
    const { costs } = await inline.open(ranksOf(job)).train(job, {});
    expect(plan.sends.map(({ rank, role }) => [rank, role])).toEqual(costs?.ranks.map(({ rank, role }) => [rank, role]));
    for (const { rank, role, steps, bytesSent, messagesSent } of costs?.ranks ?? []) {
      const planned = plan.sends[rank];
      if (role === 'server') continue;
      // A worker says hello to every server, and goodbye to those that have not ended.
      const times = plan.unit === 'meeting' ? Math.ceil(steps / 3) : steps;
      const beside = plan.unit === 'meeting' ? 0 : messagesSent - times * planned.messages;
      expect(bytesSent, `rank ${rank}`).toBe(times * planned.bytes + beside * 40);
      expect(beside).toBeLessThanOrEqual(2 * (choice.servers ?? 0));
    }
    const workersOnly = costs?.ranks.filter(({ role }) => role === 'worker') ?? [];
    const units =
      plan.unit === 'push'
        ? workersOnly.reduce((sum, { steps }) => sum + steps, 0)
        : workersOnly[0].steps / (plan.unit === 'meeting' ? 3 : 1);
    expect(Math.abs(units - 4 * plan.unitsPerEpoch)).toBeLessThanOrEqual(4 * workers);
  });
});

describe('a dry run', () => {
  let folder = '';
  let file = '';
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'paragrad-plan-'));
    file = join(folder, 'table.csv');
    const rows = Array.from({ length: 800 }, (_, i) => `${Math.sin(i)},${i % 7},${['red', 'green', 'blue'][i % 3]}`);
    writeFileSync(file, `a,b,colour\n${rows.join('\n')}\n`);
  });
  afterAll(() => {
    rmSync(folder, { recursive: true });
  });

  const shown = async (options: Partial<TrainOptions>): Promise<string> =>
    dryRunResult(await dryRun(file, { target: 'colour', chunkRows: 64, workers: 2, ...options }), PLAIN);

  test('shows the plan of the strategy, and not that of map-reduce', async () => {
    const server = await shown({ strategy: 'parameter-server', servers: 2, batchSize: 32 });
    expect(server).toContain('2 threads, parameter-server');
    expect(server).toContain(`batches of 32 rows, 20 pushes an epoch, ${DEFAULT_EPOCHS} epochs; 9 weights`);
    expect(server).toContain('who waits: nobody');
    expect(server).not.toContain('tree nodes');
    expect(await shown({ strategy: 'local-sgd', participation: 0.5, syncEvery: 2 })).toContain(
      'all, after 2 steps of each of 2 of 4 clients',
    );
    expect(await shown({ strategy: 'gossip', topology: 'complete' })).toContain('each for one partner of a complete graph, every step');
    expect(await shown({ strategy: 'hogwild' })).toContain('nobody: all write the same memory');
    expect(await shown({})).toContain('tree nodes');
  });
});
