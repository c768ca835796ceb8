import { brokenChannel } from '../../communicate/failures.ts';
import type { Address } from '../../communicate/streams/address.ts';
import { connect } from '../../communicate/streams/connect.ts';
import type { Key } from '../../communicate/streams/key.ts';
import { areIntact, type CellFacts, type CellRange, type Cells, receiveParts } from '../../data/dataset/cells.ts';
import type { SetName } from '../../data/dataset/format.ts';
import type { DataStore, StoredPart } from '../../data/store.ts';
import { ParagradError } from '../../errors.ts';
import { NUMERICS_VERSION } from '../../partition/version.ts';
import { GROUP } from './orders.ts';
import { decodePlain, encodePlain } from './plain.ts';
import type { PlainError } from './plain-error.ts';

/** What a worker asks of its coordinator on a connection of its own, and the answers, in the same order. */
export type CellsRequest = { readonly kind: 'facts'; readonly id: string } | ({ readonly kind: 'cells' } & CellRange);
export type CellsAnswer =
  | { readonly kind: 'facts'; readonly facts: CellFacts }
  | { readonly kind: 'cells'; readonly cells: Cells }
  | { readonly kind: 'failed'; readonly error: PlainError };

/** Deadline of one answer. */
const ANSWER_MS = 120_000;

/** Where a worker gets cells from that it does not see on a disk. */
export interface CellSource {
  readonly control: Address;
  readonly key: Key | undefined;
  readonly rank: number;
  readonly attempt: number;
}

/**
 * Fetches the cells of a rank from its coordinator, a few chunks at a time.
 *
 * @param id of the dataset
 * @throws what `connect` does; PARAGRAD_CHANNEL where cells are damaged; what the coordinator cannot read
 */
export async function fetchParts(
  { control, key, rank, attempt }: CellSource,
  id: string,
  partsOf: (facts: CellFacts) => Readonly<Record<SetName, StoredPart>>,
  options: NonNullable<Parameters<typeof receiveParts>[3]>,
): Promise<DataStore> {
  const hello = { group: GROUP.cells, numericsVersion: NUMERICS_VERSION, generation: attempt, rank };
  const { channel } = await connect({ address: control, key, hello });
  let last: Promise<unknown> = Promise.resolve();
  const ask = async <K extends CellsAnswer['kind']>(request: CellsRequest & { kind: K }): Promise<Extract<CellsAnswer, { kind: K }>> => {
    const sent = channel.send({ kind: 0, generation: 0, step: 0 }, encodePlain(request));
    const message = last.then(() => channel.receive(ANSWER_MS));
    last = message.catch(() => undefined);
    await Promise.all([sent, message]);
    const answer = decodePlain<CellsAnswer>(await message);
    if (answer.kind === 'failed') throw ParagradError.from(answer.error);
    if (answer.kind !== request.kind) throw brokenChannel(channel.peer, `${answer.kind} came where ${request.kind} were due`);
    return answer as Extract<CellsAnswer, { kind: K }>;
  };
  const cellsOf = async (range: CellRange): Promise<Cells> => {
    const { cells } = await ask({ kind: 'cells', ...range });
    if (!areIntact(cells)) throw brokenChannel(channel.peer, `${range.set} chunk ${range.chunk} came damaged`);
    return cells;
  };
  try {
    const { facts } = await ask({ kind: 'facts', id });
    return await receiveParts(facts, partsOf(facts), cellsOf, options);
  } finally {
    await channel.close();
  }
}
