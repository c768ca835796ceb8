import { defineConfig } from 'vitest/config';

/**
 * Suites by the end of a file's name, so that each needs only what it says: `quick` Node.js alone, `slow` time, `node` other
 * versions of Node.js, `python` NumPy and scikit-learn, `ray` a local Ray cluster (npm run engine:node, engine:python, engine:ray).
 */
const SUITES = ['slow', 'node', 'python', 'ray'];

export default defineConfig({
  test: {
    pool: 'forks',
    maxWorkers: 2,
    globalSetup: 'test/setup.ts',
    projects: [
      {
        test: {
          name: 'quick',
          include: ['test/**/*.test.ts'],
          exclude: SUITES.map((suite) => `test/**/*.${suite}.test.ts`),
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      ...SUITES.map((suite) => ({
        test: { name: suite, include: [`test/**/*.${suite}.test.ts`], testTimeout: 600_000, hookTimeout: 600_000, fileParallelism: false },
      })),
    ],
  },
});
