import { describe, expect, test } from 'vitest';
import { layoutOf } from '../../src/partition/layout.ts';
import { describePlan, planOf } from '../../src/run/plan.ts';
import { checkWorkers, mostWorkers, workersOf } from '../../src/run/workers.ts';

describe('--workers', () => {
  test.each([
    [undefined, undefined],
    [3, { least: 3, most: 3 }],
    ['3', { least: 3, most: 3 }],
    ['2:6', { least: 2, most: 6 }],
    ['1:1024', { least: 1, most: 1024 }],
  ])('%j', (workers, counts) => {
    expect(workersOf(workers === undefined ? {} : { workers })).toEqual(counts);
    expect(mostWorkers(workers === undefined ? {} : { workers })).toBe(counts?.most);
  });

  test.each([0, -1, 1.5, Number.NaN, 1025, '', '6:2', '0:2', '2:', ':2', '2:2000', '1:2:3', '2-6', 'a'])('%j is none', (workers) => {
    expect(() => workersOf({ workers })).toThrow(/^--workers must be a whole number from 1 to 1024/u);
  });

  const elastic = { workers: '2:6', engine: 'processes' } as const;
  test.each([
    [{ ...elastic, engine: 'threads' }, /--workers 2:6 lets workers come and go, which only --engine processes and ray can/u],
    [{ ...elastic, engine: 'inline' }, /which only --engine processes/u],
    [{ workers: '2:6' }, /which only --engine processes/u],
    [{ ...elastic, strategy: 'gossip' }, /in gossip every worker has weights of its own/u],
    [{ ...elastic, backup: 1 }, /--backup needs to know who has which rows/u],
    [{ ...elastic, explain: true }, /--explain shows what each worker sent/u],
    [{ ...elastic, strategy: 'parameter-server', replay: 'run' }, /a replay has as many as the run had/u],
  ] as const)('%j is refused', (options, message) => {
    expect(() => checkWorkers(options)).toThrow(message);
  });

  test('of one size is a fixed number, with every engine', () => {
    expect(() => checkWorkers({ workers: '3:3', engine: 'threads', explain: true })).not.toThrow();
    for (const strategy of ['map-reduce', 'parameter-server', 'local-sgd'] as const)
      for (const engine of ['processes', 'ray'] as const) expect(() => checkWorkers({ ...elastic, engine, strategy })).not.toThrow();
  });

  test('a range is planned for the most, and says what the least is', () => {
    const layout = layoutOf({ dtype: 'f32', rows: 5000, columns: 40, chunkRows: 64 });
    const plan = planOf(layout, { ...elastic, partition: 'rows' });
    expect(plan).toMatchObject({ engine: 'processes', leastWorkers: 2, partition: { workers: 6 } });
    expect(describePlan(layout, plan)).toMatchObject({ workers: 6, leastWorkers: 2 });
    expect(describePlan(layout, planOf(layout, { workers: '6:6', engine: 'processes' }))).not.toHaveProperty('leastWorkers');
  });
});
