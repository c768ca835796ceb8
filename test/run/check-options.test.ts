import { expect, test } from 'vitest';
import * as api from '../../src/index.ts';
import { train } from '../../src/index.ts';

const arrays = { x: Float64Array.of(1, 2, 3, 4), y: Float64Array.of(1, 2, 3, 5), rows: 4, columns: 1 };

/** JavaScript has no types that would refuse these. */
test.each([
  [arrays, { worker: 3 }, "no option 'worker'; did you mean 'workers'?"],
  [arrays, { intercept: 'no' }, "option 'intercept' must be true or false"],
  [arrays, { category: 'area' }, "option 'category' must be an array of strings"],
  [arrays, { tolerance: '1e-3' }, "option 'tolerance' must be a number"],
  [arrays, { onEvent: 5 }, "option 'onEvent' must be a function"],
  [arrays, undefined, 'options are missing'],
  [undefined, { target: 'y' }, 'the source is missing'],
  ['', { target: 'y' }, 'the source is missing'],
  [[1], { target: 'y' }, 'the source is missing'],
  [arrays, { maxPasses: 3n }, "option 'maxPasses' must be a number, not bigint"],
  [{ ...arrays, rows: -1 }, {}, 'rows must be a whole number of at least 0, not -1'],
  [{ ...arrays, rows: 1.5 }, {}, 'rows must be a whole number of at least 0, not 1.5'],
  [{ x: arrays.x, y: arrays.y }, {}, 'rows must be a whole number of at least 0, not undefined'],
  [{ ...arrays, x: ['1', '2', '3', '4'] }, {}, 'x must be a Float32Array or a Float64Array, not Array'],
  [{ ...arrays, x: new BigInt64Array(4) }, {}, 'x must be a Float32Array or a Float64Array, not BigInt64Array'],
  [{ ...arrays, y: new DataView(new ArrayBuffer(32)) }, {}, 'y must be a Float32Array or a Float64Array, not DataView'],
  [{ ...arrays, weight: [1, 1, 1, 1] }, {}, 'weight must be a Float32Array or a Float64Array, not Array'],
  [{ ...arrays, columnNames: [7] }, {}, 'columnNames must be an array of strings'],
])('a call that types would refuse is refused: %#', async (source, options, message) => {
  await expect(train(source as never, options as never)).rejects.toMatchObject({
    code: 'PARAGRAD_OPTION',
    message: expect.stringContaining(message),
  });
});

/** Calls that lack what they need. */
test.each([
  ['loadModel', () => api.loadModel(undefined as never), undefined],
  ['predict', () => api.predict(undefined as never, 'rows.csv'), undefined],
  ['predictFile', () => api.predictFile('model', 'rows.csv', undefined as never), undefined],
  ['must be a path', () => api.predictFile('model', 'rows.csv', {} as never), '--out'],
  ['evaluate', () => api.evaluate({} as never, 'rows.csv'), undefined],
  ['evaluate', () => api.evaluate('model', undefined as never), undefined],
  ['prepare', () => api.prepare('rows.csv', undefined as never), undefined],
  ['must be a path', () => api.prepare('rows.csv', { target: 'y' } as never), '--out'],
  ['source is missing', () => api.prepare(undefined as never, { target: 'y', out: 'd' }), undefined],
  ['inspectData', () => api.inspectData([]), undefined],
  ['inspectDataset', () => api.inspectDataset(undefined as never), undefined],
  ['writeReport', () => api.writeReport(undefined as never, 'page.html'), undefined],
  ['writeCoefficients', () => api.writeCoefficients({} as never, 'all.csv'), undefined],
  ['dryRun', () => api.dryRun('rows.csv', undefined as never), undefined],
  ['generate', () => api.generate(undefined as never), undefined],
  ['must be a path', () => api.resume(undefined as never), '--resume'],
  ["option 'maxPasses' must be a number", () => train(arrays, { maxPasses: '3' as never }), '--max-passes'],
  ["option 'intercept' must be", () => train(arrays, { intercept: 1 as never }), '--no-intercept'],
  ["no option 'worker'", () => train(arrays, { worker: 1 } as never), 'worker'],
])('a mistake is told as one: %s %#', async (message, call, option) => {
  const error = await call().then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toMatchObject({ code: 'PARAGRAD_OPTION', message: expect.stringContaining(message) });
  expect((error as api.ParagradError).place.option).toBe(option);
});
