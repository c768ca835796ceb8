import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Shares } from '../../../src/strategies/parameter-server/shares.ts';

describe('shares of workers', () => {
  it('weigh nothing for one worker alone, exactly', () => {
    const shares = new Shares(1);
    for (let i = 0; i < 10_000; i += 1) expect(shares.take(0)).toBe(1);
  });

  it('make up for a worker that pushes less often: the weights of all workers add up to the same', () => {
    const shares = new Shares(2);
    const sums = [0, 0];
    for (let i = 0; i < 4000; i += 1) {
      const worker = i % 3 === 0 ? 1 : 0;
      sums[worker] = (sums[worker] as number) + shares.take(worker);
    }
    const [often, seldom] = sums as [number, number];
    expect(often / seldom).toBeGreaterThan(0.95);
    expect(often / seldom).toBeLessThan(1.05);
  });

  it('stay between a half and two, and go on from a snapshot to the same', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 6 }), fc.array(fc.nat(5), { maxLength: 300 }), fc.nat(300), (workers, order, cut) => {
        const whole = new Shares(workers);
        let other = new Shares(workers);
        order.forEach((each, i) => {
          if (i === cut) {
            const restored = new Shares(workers);
            restored.restore(structuredClone(other.snapshot()));
            other = restored;
          }
          const weight = whole.take(each % workers);
          expect(weight).toBeGreaterThanOrEqual(0.5);
          expect(weight).toBeLessThanOrEqual(2);
          expect(other.take(each % workers)).toBe(weight);
        });
      }),
    );
  });
});
