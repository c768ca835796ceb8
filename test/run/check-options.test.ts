import { expect, test } from 'vitest';
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
])('a call that types would refuse is refused: %#', async (source, options, message) => {
  await expect(train(source as never, options as never)).rejects.toMatchObject({
    code: 'PARAGRAD_OPTION',
    message: expect.stringContaining(message),
  });
});
