import { expect, test } from 'vitest';
import { isValidation } from '../../src/data/split.ts';
import { train } from '../../src/index.ts';

const rows = 60;
const x = Float64Array.from({ length: rows }, (_, i) => Math.sin(i));
const source = { x, y: x.map((value) => 2 * value + 1), rows, columns: 1 };

/** 0 for validation rows. */
const weight = Float64Array.from({ length: rows }, (_, i) => (isValidation({ seed: 0, fraction: 0.2 }, i) ? 0 : 1));

/** A run that stops by what it does not have would keep the weights that it began with. */
test.each([
  ['--early-stopping', { earlyStopping: 3 }],
  ['--early-stopping', { earlyStopping: 3, batchSize: 8, epochs: 2 }],
  ['--l2', { l2: 'auto' as const }],
])('%s needs validation rows: %j', async (option, options) => {
  for (const engine of ['inline', 'threads'] as const)
    await expect(train(source, { ...options, engine, validationFraction: 0 })).rejects.toMatchObject({
      code: 'PARAGRAD_OPTION',
      message: expect.stringContaining(`${option}`),
      place: { option },
    });
  // Rows that do not count are none, either.
  await expect(train({ ...source, weight }, { ...options, engine: 'inline' })).rejects.toMatchObject({ place: { option } });
});
