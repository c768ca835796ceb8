import { describe, expect, test } from 'vitest';
import { ParagradError, type TrainOptions, train } from '../../src/index.ts';
import { resolveOptions } from '../../src/run/options.ts';

const messageOf = (options: TrainOptions): string => {
  try {
    resolveOptions(options);
  } catch (error) {
    return error instanceof ParagradError && error.code === 'PARAGRAD_OPTION' ? error.message : String(error);
  }
  return '';
};

describe('options of optimizers', () => {
  test('belong to some of them', () => {
    expect(messageOf({ optimizer: 'lbfgs', learningRate: 0.1 })).toMatch(
      /belongs to --optimizer gradient-descent, momentum, nesterov, sgd, .*: lbfgs/,
    );
    expect(messageOf({ optimizer: 'nesterov', momentum: 0.5 })).toMatch(/--momentum belongs to --optimizer momentum/);
    expect(messageOf({ optimizer: 'newton-cg', lineSearch: 'backtracking' })).toMatch(
      /--line-search belongs to --optimizer gradient-descent/,
    );
    expect(messageOf({ optimizer: 'nesterov', learningRate: 0.1, lineSearch: 'none' })).toBe('');
  });

  test('are in range', () => {
    for (const momentum of [-0.1, 1, Number.NaN]) expect(messageOf({ optimizer: 'momentum', momentum })).toMatch(/--momentum must be/);
    expect(messageOf({ lineSearch: 'wolfe' as 'none' })).toMatch(/--line-search must be one of none, backtracking, not 'wolfe'/);
    expect(messageOf({ optimizer: 'lbfg' as 'lbfgs' })).toMatch(/, not 'lbfg'; did you mean lbfgs\?$/);
    expect(messageOf({ partition: 'colums' as 'columns' })).toMatch(/, not 'colums'; did you mean columns\?$/);
  });

  test('squared losses are no others', () => {
    for (const optimizer of ['conjugate-gradient', 'normal-equations'] as const)
      expect(messageOf({ optimizer, model: 'logistic' })).toMatch(/is for the squared loss: use lbfgs/);
  });
});

describe('optimizers through the whole run', () => {
  const rows = 400;
  const x = Float64Array.from({ length: rows * 3 }, (_, i) => Math.sin(i * i + 1));
  const y = Float64Array.from({ length: rows }, (_, i) => 2 * x[3 * i] - x[3 * i + 1] + Math.cos(7 * i));
  const run = async (options: TrainOptions) => (await train({ x, rows, columns: 3, y }, { engine: 'inline', ...options })).summary;

  test.each(['normal-equations', 'newton-cg', 'plain-lbfgs', 'momentum', 'nesterov', 'gradient-descent'] as const)(
    '%s reaches the optimum of conjugate gradient',
    async (optimizer) => {
      const base = await run({ optimizer: 'conjugate-gradient', tolerance: 1e-10 });
      const other = await run({ optimizer });
      expect(other.optimizer).toBe(optimizer);
      expect(other.converged).toBe(true);
      expect(other.loss - base.loss).toBeLessThan(2e-6 * (base.nullLoss - base.loss));
    },
  );

  test('auto follows the options', async () => {
    expect((await run({ momentum: 0.8 })).optimizer).toBe('momentum');
    const searched = await run({ lineSearch: 'backtracking' });
    expect(searched.optimizer).toBe('gradient-descent');
    expect(searched.weightsSha256).not.toBe((await run({ optimizer: 'gradient-descent' })).weightsSha256);
  });

  test('--l2 auto tries penalties, and shows them', async () => {
    const auto = await run({ l2: 'auto', validationFraction: 0.3 });
    expect(auto.l2Path?.length).toBe(20);
    expect(auto.l2Path?.some(({ l2 }) => l2 === auto.l2)).toBe(true);
    expect(auto.weightsSha256).toBe((await run({ l2: auto.l2, validationFraction: 0.3 })).weightsSha256);
    expect((await run({})).l2Path).toBeUndefined();
    expect(messageOf({ l2: -1 })).toMatch(/--l2 must be 'auto' or a number of at least 0, not -1/);
  });

  test('a rate that is too large is named', async () => {
    for (const optimizer of ['momentum', 'nesterov'] as const)
      await expect(run({ optimizer, learningRate: 100 })).rejects.toThrow(/diverged.*--learning-rate 100/);
  });
});
