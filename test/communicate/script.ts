import type { Collective, ControlWord, Elements, Part, ReduceShape, Traffic } from '../../src/communicate/collective.ts';
import { type ErrorCode, ParagradError } from '../../src/errors.ts';
import type { Case } from './trees.ts';

/** What a rank is to do, as plain data: the same for ranks in one thread and in workers. */
export type Call = { readonly group?: number } & (
  | {
      readonly do: 'allReduce';
      readonly shape: ReduceShape;
      readonly parts: readonly Part<Elements>[];
      readonly into: Elements;
      readonly control?: ControlWord;
    }
  | { readonly do: 'allGather'; readonly bytes: Uint8Array }
  | { readonly do: 'broadcast'; readonly bytes: Uint8Array | undefined; readonly root: number }
  | { readonly do: 'barrier' }
  | { readonly do: 'close' }
  /** The rank is gone, without a word. */
  | { readonly do: 'die' }
);

/** What came of a call. */
export interface Outcome {
  readonly sums?: Elements;
  readonly control?: ControlWord;
  readonly bytes?: readonly Uint8Array[];
  readonly error?: { readonly code: ErrorCode; readonly message: string; readonly rank: number | undefined };
  readonly step: number;
  readonly traffic: Traffic;
}

async function call(collective: Collective, what: Call): Promise<Partial<Outcome>> {
  switch (what.do) {
    case 'allReduce': {
      const { shape, parts, into } = what;
      const control = await collective.allReduce<Elements>(shape, parts, into, what.control);
      return { sums: into, control };
    }
    case 'allGather':
      return { bytes: await collective.allGather(what.bytes) };
    case 'broadcast':
      return { bytes: [await collective.broadcast(what.bytes, what.root)] };
    case 'barrier':
      await collective.barrier();
      return {};
    default:
      await collective.close();
      return {};
  }
}

/** Runs the calls one after the other, on through errors. `die` ends it: the host does the killing. */
export async function play(calls: readonly Call[], collectives: readonly (Collective | undefined)[]): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  for (const what of calls) {
    if (what.do === 'die') break;
    const collective = collectives[what.group ?? 0] as Collective;
    let came: Partial<Outcome>;
    try {
      came = await call(collective, what);
    } catch (error) {
      if (!(error instanceof ParagradError)) throw error;
      came = { error: { code: error.code, message: error.message, rank: error.place.rank } };
    }
    outcomes.push({ ...came, step: collective.step, traffic: collective.traffic() });
  }
  return outcomes;
}

export interface RunOptions {
  /** Members of each group, in the order of their ranks in it; default: one group of all. */
  readonly groups?: readonly (readonly number[])[];
  readonly timeoutMs?: number;
  readonly slabBytes?: number;
  /** By member: what it believes to be the generation and first step; default 0. */
  readonly generations?: readonly number[];
  readonly steps?: readonly number[];
}

/** Where ranks live. */
export interface Host {
  readonly name: string;
  /** Into how many segments a vector is cut, for ranks 0, 1, … to add one each; default: one for every rank. */
  segmentsOf?(size: number): number;
  /** Vectors up to this size are added by all ranks in one turn; default: 4096. */
  smallBytesOf?(size: number): number;
  /** Messages of a warm all-reduce that is not cut into pieces, from this rank. */
  messagesOf(size: number, isSmall: boolean, rank: number): number;
  /** Bytes of values that a rank hands over in it: `parts` are its own, `own` those of its segment, `segment` the segment's length. */
  bytesOf(size: number, isSmall: boolean, bytes: { parts: number; own: number; segment: number }): number;
  /** Both of an all-reduce over rows, where they do not follow from these: in place of `messagesOf` and `bytesOf`. */
  costsOf?(c: Case, rank: number): { messages: number; bytes: number };
  /** Whether a rank waits for another itself in an all-reduce; default: it waits for all. */
  waitsFor?(size: number, rank: number, other: number): boolean;
  /** Plays calls[member] on every member at the same time. */
  run(calls: readonly (readonly Call[])[], options?: RunOptions): Promise<Outcome[][]>;
  end(): Promise<void>;
}
