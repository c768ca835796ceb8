import type { Collective } from '../communicate/collective.ts';

/** Every rank's text, on every rank. No `TextEncoder` is needed for JSON of numbers and plain names. */
async function gatherText(world: Collective, text: string): Promise<string[]> {
  const bytes = Uint8Array.from(text, (character) => character.charCodeAt(0));
  const all = await world.allGather(bytes);
  return all.map((each) => Array.from(each, (code) => String.fromCharCode(code)).join(''));
}

/** What every rank says, as JSON can say it, on every rank. */
export async function gatherJson<T>(world: Collective, own: T): Promise<T[]> {
  return (await gatherText(world, JSON.stringify(own))).map((text) => JSON.parse(text) as T);
}

/** Every rank's vectors of one length, on every rank; ranks may have different numbers of them. */
export async function gatherVectors(world: Collective, vectors: readonly Float64Array[]): Promise<Float64Array[][]> {
  const length = vectors[0]?.length ?? 0;
  const own = new Float64Array(2 + vectors.length * length);
  own.set([vectors.length, length]);
  for (const [i, vector] of vectors.entries()) own.set(vector, 2 + i * length);
  const all = await world.allGather(new Uint8Array(own.buffer));
  return all.map((bytes) => {
    const values = new Float64Array(bytes.slice().buffer);
    const [count, size] = values;
    return Array.from({ length: count }, (_, i) => values.slice(2 + i * size, 2 + (i + 1) * size));
  });
}
