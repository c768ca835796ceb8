import { describe, expect, test } from 'vitest';
import { linkOptionsOf } from '../../src/run/link-options.ts';
import { resolveOptions } from '../../src/run/options.ts';
import type { TrainOptions } from '../../src/run/train-options.ts';

const resolve = (options: Partial<TrainOptions>): unknown => resolveOptions({ target: 'y', engine: 'processes', workers: 2, ...options });

describe('links and compression', () => {
  test('are taken', () => {
    expect(() => resolve({ linkDelay: '2ms', linkRate: '100Mbit', communicate: 'client-server', reducers: 2 })).not.toThrow();
    for (const optimizer of ['gradient-descent', 'momentum'] as const)
      for (const compress of ['f32', 'top-k=1%']) expect(() => resolve({ optimizer, compress, linkDelay: '1ms' })).not.toThrow();
    expect(linkOptionsOf({ linkDelay: '2ms', linkRate: '8kbit', compress: 'top-k=1%' })).toEqual({
      link: { delayMs: 2, bytesPerSecond: 1000 },
      compress: { kind: 'top-k', share: 0.01 },
    });
    expect(linkOptionsOf({})).toEqual({});
  });

  test.each<[string, Partial<TrainOptions>, RegExp]>([
    ['--link-delay', { linkDelay: '2' }, /2ms/],
    ['--link-rate', { linkRate: 'fast' }, /100Mbit/],
    ['--link-delay', { linkDelay: '2ms', engine: 'threads' }, /--engine processes/],
    ['--compress', { compress: 'f16', optimizer: 'momentum' }, /top-k=1%/],
    ['--compress', { compress: 'f32' }, /gradient-descent, momentum/],
    ['--compress', { compress: 'f32', optimizer: 'lbfgs' }, /lbfgs cannot use/],
    ['--compress', { compress: 'f32', optimizer: 'conjugate-gradient' }, /cannot use/],
    ['--compress', { compress: 'f32', optimizer: 'gradient-descent', lineSearch: 'backtracking' }, /backtracking/],
    ['--compress', { compress: 'f32', optimizer: 'gradient-descent', l2: 'auto' }, /--l2/],
    ['--compress', { compress: 'f32', optimizer: 'gradient-descent', engine: 'inline' }, /--engine processes/],
    ['--compress', { compress: 'f32', optimizer: 'gradient-descent', strategy: 'local-sgd' }, /map-reduce/],
  ])('%s is refused: %j', (option, options, message) => {
    expect(() => resolve(options)).toThrow(expect.objectContaining({ code: 'PARAGRAD_OPTION', place: { option } }));
    expect(() => resolve(options)).toThrow(message);
  });
});
