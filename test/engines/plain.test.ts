import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decodePlain, encodePlain } from '../../src/engines/worker/plain.ts';

const number = fc.oneof(fc.double(), fc.constantFrom(-0, Number.NaN, Number.POSITIVE_INFINITY, 5e-324));
const leaf = fc.oneof(
  number,
  fc.string(),
  fc.boolean(),
  fc.constantFrom(null, undefined),
  fc.float64Array(),
  fc.float32Array(),
  fc.uint8Array(),
  fc.uint32Array(),
  fc.int32Array(),
);
const { value } = fc.letrec((tie) => ({
  value: fc.oneof({ depthSize: 'small' }, leaf, fc.array(tie('value')), fc.dictionary(fc.stringMatching(/^[a-z]{0,8}$/u), tie('value'))),
}));

function joined(pieces: readonly Uint8Array[]): Uint8Array {
  const body = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    body.set(piece, at);
    at += piece.length;
  }
  return body;
}

test('law: what comes to another process is what was sent, to the bit', () => {
  fc.assert(
    fc.property(value, (sent) => {
      const before = structuredClone(sent);
      const came = decodePlain({ body: joined(encodePlain(sent)) });
      // Strict: −0 is not 0, an absent member is not undefined, and arrays keep their types.
      expect(came).toStrictEqual(before);
    }),
    { numRuns: 300 },
  );
});

test('arrays that came are the receiver’s own; views are cut to what they show', () => {
  const whole = Float64Array.of(1, 2, 3, 4);
  const body = joined(encodePlain({ part: whole.subarray(1, 3) }));
  const { part } = decodePlain<{ part: Float64Array }>({ body });
  body.fill(0);
  expect(part).toEqual(Float64Array.of(2, 3));
  expect(part.buffer.byteLength).toBe(16);
});
